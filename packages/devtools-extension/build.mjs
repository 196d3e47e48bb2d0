// Builds the panel as an extension and as a page: dist/chromium, dist/firefox, dist/page, and a zip of
// each extension. Needs the bus to be built, and the pinned Node, which reads TypeScript.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { zipSync } from 'fflate'
import { build } from 'vite'
import { manifest } from './src/extension/manifest.ts'

// What is made is what people install, whoever runs this: tests have another NODE_ENV.
process.env.NODE_ENV = 'production'

const here = dirname(fileURLToPath(import.meta.url))
const source = join(here, 'src')
const dist = mkdtempSync(join(tmpdir(), 'crosstown-devtools-build-'))
process.on('exit', () => rmSync(dist, { recursive: true }))
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

const [chromium, firefox] = [join(dist, 'chromium'), join(dist, 'firefox')]

await pages('extension', ['devtools.html', 'panel.html'], chromium)
await script('content', chromium)
cpSync(join(source, 'extension/icons'), join(chromium, 'icons'), { recursive: true })
cpSync(chromium, firefox, { recursive: true })
await script('router', firefox)
await pages('extension', ['allow.html'], firefox)
await pages('page', ['index.html'], join(dist, 'page'))

for (const [browser, folder] of Object.entries({ chromium, firefox })) {
  const text = JSON.stringify(manifest(browser, version), undefined, 2)
  writeFileSync(join(folder, 'manifest.json'), `${text}\n`)
  writeFileSync(join(dist, `crosstown-devtools-${version}-${browser}.zip`), zip(folder))
}
publish(dist, join(here, 'dist'))

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

/** Makes one folder what another is. What is the same is not touched: a browser may be reading it. */
function publish(from, to) {
  const wanted = filesOf(from)
  for (const file of existsSync(to) ? filesOf(to) : []) {
    if (!wanted.includes(file)) rmSync(join(to, file))
  }
  for (const file of wanted) {
    const [bytes, path] = [readFileSync(join(from, file)), join(to, file)]
    if (existsSync(path) && readFileSync(path).equals(bytes)) continue
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
  }
}

/** Paths in a folder, with forward slashes. */
function filesOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .map((file) => file.replaceAll('\\', '/'))
    .sort()
}

/** The same bytes for the same files, whenever it is made. */
function zip(folder) {
  const files = filesOf(folder).map((file) => [file, readFileSync(join(folder, file))])
  return zipSync(Object.fromEntries(files), { mtime: '1980-01-01T12:00:00', level: 9 })
}
