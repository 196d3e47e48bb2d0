// docs/delivery.md says what is promised of each option, by the titles of the tests that prove it.
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import { callsIn, cellOf, read, root } from './lib/titles.ts'

const file = join(root, 'docs/delivery.md')
const paths = globSync('packages/*/src/**/*.delivery.test.ts', { cwd: root }).toSorted()

/** A row for each test: the option that its `describe` names, and its title. */
function rowsOf(path: string): string[] {
  const rows: string[] = []
  let option = ''
  for (const { name, title } of callsIn(path)) {
    if (title === '') continue
    if (name === 'describe') option = title
    if (name !== 'it') continue
    rows.push(`| ${option} | ${cellOf(title)} | [${basename(path)}](../${path}) |`)
  }
  return rows
}

it('docs/delivery.md has the table of the tests there are', async () => {
  const table = ['| | what holds | test |', '|---|---|---|', ...paths.flatMap(rowsOf)]
  const text = readFileSync(file, 'utf8')
  const [before = '', , after = ''] = text.split(/(?<=<!-- tests -->\n)([\s\S]*?)(?=<!-- end -->)/)
  await expect(`${before}\n${table.join('\n')}\n\n${after}`).toMatchFileSnapshot(file)
})

it('none of these tests is passed over when tests are run', () => {
  for (const path of paths)
    expect(read(path), path).not.toMatch(/\b(it|describe)[.](skip|skipIf|only|todo|runIf|fails)\b/)
})
