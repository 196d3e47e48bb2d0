// docs/delivery.md says what is promised of each option, by the titles of the tests that prove it.
import { globSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { parseSync, Visitor } from 'oxc-parser'
import { expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const file = join(root, 'docs/delivery.md')
const paths = globSync('packages/*/src/**/*.delivery.test.ts', { cwd: root }).toSorted()
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** What a file's `describe` and `it` are called with, and `it.each`, in order. */
function titlesOf(path: string): [call: string, title: string][] {
  const titles: [string, string][] = []
  const { program, errors } = parseSync(path, read(path))
  expect(errors, path).toEqual([])
  const visitor = new Visitor({
    CallExpression({ callee, arguments: [title] }) {
      // Of `it.each(...)(title, run)` it is the call of what `it.each(...)` gives.
      const each = callee.type === 'CallExpression' ? callee.callee : callee
      const named = each.type === 'MemberExpression' ? each.object : each
      if (named.type !== 'Identifier' || title?.type !== 'Literal') return
      if (typeof title.value === 'string') titles.push([named.name, title.value])
    },
  })
  visitor.visit(program)
  return titles
}

/** A row for each test: the option that its `describe` names, and its title. */
function rowsOf(path: string): string[] {
  const rows: string[] = []
  let option = ''
  for (const [call, title] of titlesOf(path)) {
    if (call === 'describe') option = title
    if (call !== 'it') continue
    // What differs from one case to the next is no part of it.
    const what = title.replace(/(,( in)?|:)( %[sj])+/g, '').replaceAll('|', '\\|')
    rows.push(`| ${option} | ${what} | [${basename(path)}](../${path}) |`)
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
