// docs/benchmarks.md and its pictures, made of a run of all suites.
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { goalPlot, growthPlot } from './svg.mjs'
import { budgetsInSuite, budgetVerdict, renderGrowth, tableInSuite, verdict } from './table.mjs'

const PICTURE = /^bench-.*\.svg$/

/** Writes them under `folder`; what an earlier run left there of pictures goes. */
export async function writeDocument(folder, document) {
  const { text, pictures } = documentOf(document)
  const images = join(folder, 'images')
  await mkdir(images, { recursive: true })
  for (const name of await readdir(images)) if (PICTURE.test(name)) await rm(join(images, name))
  for (const [name, svg] of pictures) await writeFile(join(images, name), svg)
  await writeFile(join(folder, 'benchmarks.md'), text)
}

/**
 * The text, and the pictures by name.
 *
 * @param about what each suite says of itself, by its name
 */
export function documentOf({ rows, budgets, growths, about, conditions }) {
  const pictures = new Map()
  const suites = [...new Set([...rows, ...budgets, ...growths].map(({ suite }) => suite))]
  const text = [
    '# Benchmarks',
    '',
    'Written by `npm run bench`, which measures all of this again, on your machine. Each row has a',
    'peer: what one would use instead, doing the same work. The two take turns within one run, round',
    'after round, so that what slows one slows the other; the ratio of a row is the median of the',
    'ratios of its rounds, and min-max is their range. Compare ratios, not figures of different',
    'machines. A round whose events did not all arrive, in order, is no round: the run fails.',
    'Nothing here is asserted by tests.',
    '',
    '```',
    conditions,
    '```',
    '',
  ]
  if (rows.length > 0) {
    pictures.set('bench-goals.svg', goalPlot(rows))
    text.push(picture('bench-goals.svg', 'How each row stands to its goal'), '', verdict(rows), '')
  }
  if (budgets.length > 0) text.push(budgetVerdict(budgets), '')
  for (const suite of suites) {
    const of = (all) => all.filter((row) => row.suite === suite)
    text.push(`## ${about[suite].title}`, '', about[suite].text, '')
    if (of(rows).length > 0) text.push(tableInSuite(of(rows)), '')
    if (of(budgets).length > 0) text.push(budgetsInSuite(of(budgets)), '')
    for (const growth of of(growths)) {
      const name = `bench-${growth.name}.svg`
      pictures.set(name, growthPlot(growth))
      text.push(`### ${growth.work}`, '', `${growth.how}`, '')
      text.push(picture(name, `${growth.work}, by ${growth.per}`), '', renderGrowth(growth), '')
    }
  }
  return { text: `${text.join('\n').trimEnd()}\n`, pictures }
}

const picture = (name, what) => `![${what}](images/${name})`
