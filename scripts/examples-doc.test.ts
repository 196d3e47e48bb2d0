// docs/examples has a page for each example, and a page has the code of its example as it is run:
// a block that names a file of demo/examples is that file. `vitest run --project unit
// scripts/examples-doc.test.ts -u` writes the code into the pages.
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const files = globSync('demo/examples/*/*.ts', { cwd: root }).toSorted()
const isTest = (path: string): boolean => path.endsWith('.test.ts')
const folderOf = (path: string): string => path.split('/')[2] ?? ''
const names = [...new Set(files.map(folderOf))]

const BLOCK = /^```ts (demo\/examples\/\S+)\n[\s\S]*?^```$/gm

describe.each(names)('the example %s', (name) => {
  const page = `docs/examples/${name}.md`
  const own = files.filter((path) => folderOf(path) === name)

  it('is on its page, every file of it, as it is', async () => {
    const text = read(page)
    const shown = [...text.matchAll(BLOCK)].map(([, path]) => path)
    expect(shown.toSorted()).toEqual(own.filter((path) => !isTest(path)))
    const current = text.replaceAll(BLOCK, (_, path) => `\`\`\`ts ${path}\n${read(path)}\`\`\``)
    await expect(current).toMatchFileSnapshot(join(root, page))
  })

  it('is run by a test, which its page and the list of examples name', () => {
    const tests = own.filter(isTest)
    expect(tests).not.toEqual([])
    for (const path of tests) expect(read(page)).toContain(`](../../${path})`)
    expect(read('docs/examples/README.md')).toContain(`](${name}.md)`)
  })
})

it('no page is left of an example that is gone', () => {
  const pages = globSync('docs/examples/*.md', { cwd: root }).map((path) => path.split('/').at(-1))
  expect(pages.toSorted()).toEqual(['README.md', ...names.map((name) => `${name}.md`)].toSorted())
})
