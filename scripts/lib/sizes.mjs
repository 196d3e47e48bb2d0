// What an application loads of packages/bus: bundled as a user's bundler would, by chunk and by stage.
import { join, relative } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { root } from './project.mjs'

/** What is imported, by name. */
export const ENTRIES = {
  'in a page, with tabs and log': "export { createBus } from '@crosstown/bus'",
  'with a relay': "export { createBus, relayLink } from '@crosstown/bus'",
  'all parts at once': "export { createBus } from '@crosstown/bus/all'",
}

/**
 * @typedef {object} Loaded
 * @property {number} bytes minified
 * @property {number} gzip of each chunk by itself, as they are served
 * @property {Record<string, number>} stages minified bytes by stage of the bus, or package
 * @property {string[]} modules those it is made of, as paths in dist/ or names of packages
 */

/**
 * @returns {Promise<{ first: Loaded, later: Record<string, Loaded>, all: Loaded }>} what is loaded with
 *   the page; what each part adds to that, alone; and everything
 */
export async function sizesOf(contents) {
  const { metafile, outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    outdir: join(root, 'size'),
    entryNames: 'first',
    metafile: true,
    write: false,
  })
  const chunks = new Map()
  for (const { path, contents: text } of outputFiles) {
    const name = relative(root, path)
    chunks.set(name, { ...metafile.outputs[name], gzip: gzipSync(text, { level: 9 }).length })
  }
  /** It, with what it imports before it runs. */
  const withStatic = (name, found = new Set()) => {
    if (found.has(name)) return found
    found.add(name)
    for (const { path, kind } of chunks.get(name).imports)
      if (kind === 'import-statement' && chunks.has(path)) withStatic(path, found)
    return found
  }
  const sum = (names) => {
    const loaded = { bytes: 0, gzip: 0, stages: {}, modules: [] }
    for (const name of names) {
      const { bytes, gzip, inputs } = chunks.get(name)
      loaded.bytes += bytes
      loaded.gzip += gzip
      for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
        if (bytesInOutput === 0) continue
        const [stage, module] = placeOf(input)
        loaded.stages[stage] = (loaded.stages[stage] ?? 0) + bytesInOutput
        loaded.modules.push(module)
      }
    }
    return loaded
  }
  const first = withStatic('size/first.js')
  const later = {}
  for (const [name, { entryPoint }] of chunks) {
    if (first.has(name) || !entryPoint) continue
    const part = entryPoint.replace(/^.*\/|[.]js$/g, '')
    later[part] = sum([...withStatic(name)].filter((one) => !first.has(one)))
  }
  return { first: sum(first), later, all: sum(chunks.keys()) }
}

/** Stage or package, and module. */
function placeOf(input) {
  const [, path] = /(?:packages|@crosstown)\/bus\/dist\/(.*)$/.exec(input) ?? []
  if (path) return [path.replace(/\/.*|[.]js$/, ''), path]
  const [, name = 'the entry'] = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input) ?? []
  return [name, name]
}

/** In bytes after gzip, with a little room: who needs more says so here, and why in the commit. */
export const BUDGETS = {
  'in a page, with tabs and log': { first: 75_800, all: 123_000 },
  'with a relay': { first: 86_500, all: 133_800 },
}
