/** Relays on workerd, the runtime of Cloudflare Workers, each room a Durable Object. */
import { dirname, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Log, LogLevel, Miniflare } from 'miniflare'
import { type Flags, type RelayProcessHandle, socketOf } from './relay-handle.ts'

const RELAY = fileURLToPath(new URL('../runtimes/cloudflare.ts', import.meta.url))

const running = new Set<Miniflare>()

/** A Worker with its Durable Objects, and what outlives them in a folder beside `file`. */
export async function startWorker({ file, auth }: Flags): Promise<RelayProcessHandle> {
  const source = `
    import { cloudflareRelay } from ${JSON.stringify(RELAY)}
    ${auth === undefined ? 'const auth = undefined' : `import auth from ${JSON.stringify(auth)}`}
    const { worker, Room } = cloudflareRelay(() => (auth ? { auth } : {}))
    export { Room }
    export default worker
  `
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: dirname(RELAY), loader: 'ts' },
    bundle: true,
    format: 'esm',
    write: false,
    conditions: ['workerd', 'worker', 'import'],
  })
  const worker = new Miniflare({
    modules: [{ type: 'ESModule', path: 'worker.mjs', contents: outputFiles[0]?.text ?? '' }],
    compatibilityDate: '2026-07-01',
    cf: false,
    host: '127.0.0.1',
    port: 0,
    log: new Log(LogLevel.NONE),
    // What it says of requests that are none is not for whoever reads the tests.
    handleRuntimeStdio: (out: Readable, err: Readable) => {
      out.resume()
      err.resume()
    },
    durableObjects: { ROOMS: { className: 'Room', useSQLite: true } },
    ...(file !== undefined && { durableObjectsPersist: `${resolve(file)}.objects` }),
  })
  running.add(worker)
  const url = (await worker.ready).origin
  return {
    url,
    socket: socketOf(url),
    output: () => '',
    async end() {
      running.delete(worker)
      // workerd is killed: what it had in memory is gone, and its sockets break off.
      await worker.dispose()
      return null
    },
  }
}

export async function endWorkers(): Promise<void> {
  const all = [...running]
  running.clear()
  await Promise.all(all.map((worker) => worker.dispose()))
}
