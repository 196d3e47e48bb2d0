/** What `npm run build` leaves for those who install the extension, and for the stores. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { unzipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { root, tool } from './lib/project.mjs'

const dist = join(root, 'packages/devtools-extension/dist')
const browsers = ['chromium', 'firefox'] as const

/** Files of a folder by their paths in it. */
function filesOf(folder: string): Map<string, Buffer> {
  const entries = readdirSync(join(dist, folder), { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return [path.slice(join(dist, folder).length + 1), readFileSync(path)]
    }),
  )
}

const manifestOf = (browser: string) =>
  JSON.parse(readFileSync(join(dist, browser, 'manifest.json'), 'utf8'))

describe.each(browsers)('the extension for %s', (browser) => {
  it('has all the files its manifest and its pages name', () => {
    const files = filesOf(browser)
    const manifest = manifestOf(browser)
    const named = [
      manifest.devtools_page,
      ...Object.values<string>(manifest.icons),
      ...manifest.content_scripts.flatMap(({ js }: { js: string[] }) => js),
      ...(manifest.background?.scripts ?? []),
      'panel.html',
    ]
    for (const page of ['devtools.html', 'panel.html']) {
      const html = files.get(page)?.toString() ?? ''
      named.push(...[...html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, path]) => path))
    }
    expect([...files.keys()]).toEqual(expect.arrayContaining(named))
  })

  it('requires no permission but for pages of this machine', () => {
    const manifest = manifestOf(browser)
    expect(manifest.permissions).toBeUndefined()
    expect(manifest.host_permissions).toBeUndefined()
    expect(manifest.content_scripts[0].matches).toEqual([
      'http://localhost/*',
      'http://127.0.0.1/*',
      'http://[::1]/*',
    ])
  })

  it('is in a zip, file by file', () => {
    const { version } = manifestOf(browser)
    const zip = readFileSync(join(dist, `crosstown-devtools-${version}-${browser}.zip`))
    const zipped = Object.entries(unzipSync(zip)).map(([path, bytes]) => [path, Buffer.from(bytes)])
    expect(new Map(zipped as [string, Buffer][])).toEqual(filesOf(browser))
  })

  it('puts little into each page', () => {
    expect(filesOf(browser).get('content.js')?.length).toBeLessThan(4_096)
  })
})

it('Chromium starts no background worker for it', () => {
  expect(manifestOf('chromium').background).toBeUndefined()
})

it('web-ext lint finds nothing in the extension for Firefox', { timeout: 120_000 }, async () => {
  const lint = ['lint', '--source-dir', join(dist, 'firefox'), '--output', 'json', '--no-input']
  const { stdout } = await promisify(execFile)(process.execPath, [tool('web-ext'), ...lint])
  const { errors, warnings, notices } = JSON.parse(stdout)
  expect([...errors, ...warnings, ...notices]).toEqual([])
})
