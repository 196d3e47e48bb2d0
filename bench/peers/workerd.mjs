// Runs a Worker with its class of rooms on workerd, the runtime of Cloudflare Workers; ends with it.
// node bench/peers/workerd.mjs <module>
import { build } from 'esbuild'
import { Log, LogLevel, Miniflare } from 'miniflare'

const { outputFiles } = await build({
  entryPoints: [process.argv[2]],
  bundle: true,
  format: 'esm',
  write: false,
  external: ['cloudflare:workers'],
  conditions: ['workerd', 'worker', 'import'],
})
const worker = new Miniflare({
  modules: [{ type: 'ESModule', path: 'worker.mjs', contents: outputFiles[0].text }],
  compatibilityDate: '2026-07-01',
  cf: false,
  host: '127.0.0.1',
  port: 0,
  log: new Log(LogLevel.NONE),
  durableObjects: { ROOMS: { className: 'Room', useSQLite: true } },
})
process.once('SIGTERM', () => void worker.dispose().then(() => process.exit()))
const { host } = await worker.ready
console.log(`listening on ${host}`)
