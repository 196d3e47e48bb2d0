// Holds docs/threat-model.md to its tests: every attack in the table names some, and they exist.
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const docs = resolve(import.meta.dirname, '../docs')
const text = readFileSync(join(docs, 'threat-model.md'), 'utf8')
const table = /## Attacks\n([\s\S]*?)\n## /.exec(text)?.[1] ?? ''
const rows = table
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .slice(2)
  .map((line) => line.slice(1, -1).split(' | '))

/** Titles and files of the tests that a cell names. */
function testsIn(cell: string): [title: string, file: string][] {
  return [...cell.matchAll(/\[((?:\\.|[^\]\\])+)\]\(([^)]+)\)/g)].map(
    ([, title = '', file = '']) => [title.replaceAll(/\\(.)/g, '$1'), file],
  )
}

/** Whether a file has a test of this title: the text stands in it as a whole, in quotes. */
function hasTest(file: string, title: string): boolean {
  const source = readFileSync(join(docs, file), 'utf8')
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${title}${quote}`))
}

describe('the table of attacks', () => {
  it('has a row for each, of three cells', () => {
    expect(rows.length).toBeGreaterThan(30)
    for (const row of rows) expect([row[0], row.length]).toEqual([row[0], 3])
  })

  it.each(rows.map(([attack = '', , tests = '']) => [attack.trim(), tests] as const))(
    'names tests that exist: %s',
    (_, cell) => {
      const tests = testsIn(cell)
      expect(tests.length).toBeGreaterThan(0)
      for (const [title, file] of tests) {
        expect(file).toMatch(/\.test\.ts$/)
        expect([file, existsSync(join(docs, file))]).toEqual([file, true])
        expect([title, hasTest(file, title)]).toEqual([title, true])
      }
      // Whatever is in the cell is a test, and none was left out by a bracket too few.
      const rest = cell.replaceAll(/\[(?:\\.|[^\]\\])+\]\([^)]+\)/g, '')
      expect(rest).toMatch(/^[\s,]*$/)
    },
  )

  it('would notice a test that is gone', () => {
    expect(hasTest('../packages/edge-relay/src/attacks.test.ts', 'no such title')).toBe(false)
  })
})
