/** Relays on workerd, the runtime of Cloudflare Workers, each room a Durable Object. */
import { dirname, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Log, LogLevel, Miniflare } from 'miniflare'
import type { Limits } from '../limits.ts'
import { type Flags, type RelayProcessHandle, ROOM, socketOf } from './relay-handle.ts'

const RELAY = fileURLToPath(new URL('../runtimes/cloudflare.ts', import.meta.url))

const NAME = 'relay'
const CLASS = 'Room'
const COMPATIBILITY_DATE = '2026-07-01'

/** Evicts from within: miniflare's own call stands still until it is done, and every client with it. */
const CONTROL = `
  import unsafe from 'workerd:unsafe'
  export default {
    async fetch(request, { ROOMS }) {
      const webSockets = new URL(request.url).searchParams.get('webSockets')
      try {
        await unsafe.evict(ROOMS.get(ROOMS.idFromName(${JSON.stringify(ROOM)})), { webSockets })
        return new Response()
      } catch (error) {
        return new Response(error.message, { status: 500 })
      }
    },
  }
`

const moduleOf = (contents: string) => ({
  type: 'ESModule' as const,
  path: 'worker.mjs',
  contents,
})

const running = new Set<Miniflare>()

/** How a Worker is started. */
export interface WorkerOptions {
  /** The folder for what outlives it. @default kept in memory */
  readonly persist?: string
  /** A module whose default export is the auth function. */
  readonly auth?: string
  readonly limits?: Partial<Limits>
}

/** A relay on workerd, whose rooms can be put out of memory. */
export interface WorkerHandle extends RelayProcessHandle {
  /**
   * Puts room `42` out of memory, as the runtime does with one that is idle or in its way. What the
   * room was doing ends first. Its sockets stay open and wake it up again, or are closed with it.
   * What comes in meanwhile is dealt with before. Sockets must have been opened one after the other:
   * workerd does not let go of an object that was opened by several at once, and gives up after 30 s.
   *
   * @param webSockets what becomes of them; `'hibernate'` if not said
   * @returns whether it was in memory
   */
  evict(webSockets?: 'hibernate' | 'close'): Promise<boolean>
  /** Kills workerd, with SIGKILL: what it had in memory is gone, and its sockets break off. */
  kill(): Promise<void>
}

/** As every runtime is started: what outlives it is in a folder beside `file`. */
export function startWorker({ file, auth, limits }: Flags): Promise<WorkerHandle> {
  return startWorkerd({
    ...(file !== undefined && { persist: `${resolve(file)}.objects` }),
    ...(auth !== undefined && { auth }),
    ...(limits !== undefined && { limits }),
  })
}

/**
 * A Worker with its Durable Objects; it listens when this resolves. At `/rooms/42/revoke?subject=`
 * tokens are called back.
 */
export async function startWorkerd({
  persist,
  auth,
  limits = {},
}: WorkerOptions = {}): Promise<WorkerHandle> {
  const source = `
    import { cloudflareRelay } from ${JSON.stringify(RELAY)}
    ${auth === undefined ? 'const auth = undefined' : `import auth from ${JSON.stringify(auth)}`}
    const { worker, Room: Base } = cloudflareRelay(() => ({
      ...(auth && { auth }),
      limits: ${JSON.stringify(limits)},
    }))
    export class Room extends Base {
      async fetch(request) {
        const { pathname, searchParams } = new URL(request.url)
        if (!pathname.endsWith('/revoke')) return super.fetch(request)
        const revoked = searchParams.get('subject')
        return Response.json(this.relay.revoke(({ subject }) => subject === revoked))
      }
    }
    export default {
      fetch: (request, env) =>
        new URL(request.url).pathname === '/evict'
          ? env.CONTROL.fetch(request)
          : worker.fetch(request, env),
    }
  `
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: dirname(RELAY), loader: 'ts' },
    bundle: true,
    format: 'esm',
    write: false,
    conditions: ['workerd', 'worker', 'import'],
  })
  const rooms = { className: CLASS, useSQLite: true }
  const worker = new Miniflare({
    cf: false,
    host: '127.0.0.1',
    port: 0,
    log: new Log(LogLevel.NONE),
    // What it says of requests that are none is not for whoever reads the tests.
    handleRuntimeStdio: (out: Readable, err: Readable) => {
      out.resume()
      err.resume()
    },
    unsafeInspectDurableObjects: true,
    ...(persist !== undefined && { durableObjectsPersist: persist }),
    workers: [
      {
        name: NAME,
        modules: [moduleOf(outputFiles[0]?.text ?? '')],
        compatibilityDate: COMPATIBILITY_DATE,
        durableObjects: { ROOMS: rooms },
        serviceBindings: { CONTROL: 'control' },
      },
      {
        name: 'control',
        modules: [moduleOf(CONTROL)],
        compatibilityDate: COMPATIBILITY_DATE,
        compatibilityFlags: ['unsafe_module'],
        durableObjects: { ROOMS: { ...rooms, scriptName: NAME } },
      },
    ],
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
    async evict(webSockets = 'hibernate') {
      const response = await fetch(`${url}/evict?webSockets=${webSockets}`)
      const said = await response.text()
      if (!response.ok && !said.includes('not currently running')) throw new Error(said)
      return response.ok
    },
    kill,
    output: () => '',
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
