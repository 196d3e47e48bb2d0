/** Relays on workerd, the runtime of Cloudflare Workers, each room a Durable Object. */
import { dirname, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Log, LogLevel, Miniflare } from 'miniflare'
import { type Flags, type RelayProcessHandle, ROOM, socketOf } from './relay-handle.ts'

const RELAY = fileURLToPath(new URL('../runtimes/cloudflare.ts', import.meta.url))

const NAME = 'relay'
const CLASS = 'Room'

const running = new Set<Miniflare>()

/** How a Worker is started. */
export interface WorkerOptions {
  /** The folder for what outlives it. @default kept in memory */
  readonly persist?: string
  /** A module whose default export is the auth function. */
  readonly auth?: string
}

/** A relay on workerd, whose rooms can be put out of memory. */
export interface WorkerHandle extends RelayProcessHandle {
  /**
   * Puts room `42` out of memory, as the runtime does with one that is idle or in its way. What the
   * room was doing ends first. Its sockets stay open and wake it up again, or are closed with it.
   *
   * @param webSockets what becomes of them; `'hibernate'` if not said
   */
  evict(webSockets?: 'hibernate' | 'close'): Promise<void>
  /** Kills workerd, with SIGKILL: what it had in memory is gone, and its sockets break off. */
  kill(): Promise<void>
}

/** As every runtime is started: what outlives it is in a folder beside `file`. */
export function startWorker({ file, auth }: Flags): Promise<WorkerHandle> {
  return startWorkerd({
    ...(file !== undefined && { persist: `${resolve(file)}.objects` }),
    ...(auth !== undefined && { auth }),
  })
}

/** A Worker with its Durable Objects; it listens when this resolves. */
export async function startWorkerd({ persist, auth }: WorkerOptions = {}): Promise<WorkerHandle> {
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
    name: NAME,
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
    durableObjects: { ROOMS: { className: CLASS, useSQLite: true } },
    unsafeInspectDurableObjects: true,
    ...(persist !== undefined && { durableObjectsPersist: persist }),
  })
  running.add(worker)
  const url = (await worker.ready).origin
  const kill = async (): Promise<void> => {
    running.delete(worker)
    await worker.dispose()
  }
  return {
    url,
    socket: socketOf(url),
    output: () => '',
    evict: (webSockets = 'hibernate') =>
      worker.unsafeEvictDurableObject(NAME, CLASS, { name: ROOM, webSockets }),
    kill,
    async end() {
      await kill()
      return null
    },
  }
}

export async function endWorkers(): Promise<void> {
  const all = [...running]
  running.clear()
  await Promise.all(all.map((worker) => worker.dispose()))
}
