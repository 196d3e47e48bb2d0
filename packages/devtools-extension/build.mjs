// Builds the panel as an extension and as a page: dist/chromium, dist/firefox, dist/page, and a zip of
// each extension. Needs the bus to be built, and the pinned Node, which reads TypeScript.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { zipSync } from 'fflate'
import { build } from 'vite'
import { manifest } from './src/extension/manifest.ts'

const here = dirname(fileURLToPath(import.meta.url))
const source = join(here, 'src')
const dist = join(here, 'dist')
const { version } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'))

/**
 * The panel shows texts of strangers, and makes HTML of none of them. React could: that is taken out
 * of it here, where whoever reviews the extension would ask about it.
 */
const withoutHtml = {
  name: 'crosstown:without-html',
  transform(code, id) {
    if (!id.includes('react-dom-client.production')) return undefined
    const without = code.replaceAll('.innerHTML =', '.textContent =')
    if (without === code) throw new Error('react-dom sets HTML in another way now')
    return { code: without, map: null }
  },
}

rmSync(dist, { recursive: true, force: true })
const [chromium, firefox] = [join(dist, 'chromium'), join(dist, 'firefox')]

await pages('extension', ['devtools.html', 'panel.html'], chromium)
await script('content', chromium)
cpSync(join(source, 'extension/icons'), join(chromium, 'icons'), { recursive: true })
cpSync(chromium, firefox, { recursive: true })
await script('router', firefox)
await pages('page', ['index.html'], join(dist, 'page'))

for (const [browser, folder] of Object.entries({ chromium, firefox })) {
  const text = JSON.stringify(manifest(browser, version), undefined, 2)
  writeFileSync(join(folder, 'manifest.json'), `${text}\n`)
  writeFileSync(join(dist, `crosstown-devtools-${version}-${browser}.zip`), zip(folder))
}

/** Pages with modules; all that they load lies beside them. */
function pages(folder, names, outDir) {
  return build({
    ...common(outDir),
    root: join(source, folder),
    base: './',
    plugins: [react(), withoutHtml],
    build: {
      ...common(outDir).build,
      modulePreload: false,
      rollupOptions: { input: names.map((name) => join(source, folder, name)) },
    },
  })
}

/** A classic script, as content scripts have to be. */
function script(name, outDir) {
  mkdirSync(outDir, { recursive: true })
  const { build: options, ...rest } = common(outDir)
  return build({
    ...rest,
    build: {
      ...options,
      lib: {
        entry: join(source, `extension/${name}.ts`),
        formats: ['iife'],
        name: 'crosstown',
        fileName: () => `${name}.js`,
      },
    },
  })
}

function common(outDir) {
  return {
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    build: {
      outDir,
      emptyOutDir: false,
      target: ['chrome123', 'firefox142'],
      // It is read from a disk.
      chunkSizeWarningLimit: 2_000,
    },
  }
}

/** The same bytes for the same files, whenever it is made. */
function zip(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  const entries = files.map((file) => [
    file.slice(folder.length + 1).replaceAll('\\', '/'),
    readFileSync(file),
  ])
  return zipSync(Object.fromEntries(entries), { mtime: '1980-01-01T12:00:00', level: 9 })
}
