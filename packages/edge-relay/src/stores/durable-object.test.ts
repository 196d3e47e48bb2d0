/**
 * The store of a Durable Object, in one: its methods are called over HTTP, those of one turn together,
 * and their values are JSON.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { BusError, type BusErrorCode } from '@crosstown/bus/protocol'
import { build } from 'esbuild'
import { Log, LogLevel, Miniflare } from 'miniflare'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { storeContract } from '../testing/store-contract.ts'
import type { Store } from './store.ts'

const SOURCE = `
  import { durableObjectStore } from ${JSON.stringify(fileURLToPath(new URL('./durable-object.ts', import.meta.url)))}
  export default {
    fetch: (request, { OBJECTS }) =>
      OBJECTS.get(OBJECTS.idFromName(new URL(request.url).pathname)).fetch(request),
  }
  export class Objects {
    constructor(context) {
      this.context = context
    }
    async fetch(request) {
      const calls = await request.json()
      return Response.json(await Promise.all(calls.map((call) => this.call(call))))
    }
    async call({ method, args }) {
      // A store that was closed is made anew: as an object is that was evicted.
      if (method === 'open') {
        this.store = durableObjectStore(this.context.storage)
        return {}
      }
      try {
        return { result: await this.store[method](...args) }
      } catch (error) {
        const { code, message } = error
        return { error: { code, message } }
      }
    }
  }
`

let worker: Miniflare
let folder = ''
let objects = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-object-'))
  const { outputFiles } = await build({
    stdin: { contents: SOURCE, resolveDir: process.cwd(), loader: 'ts' },
    bundle: true,
    format: 'esm',
    write: false,
    conditions: ['workerd', 'worker', 'import'],
  })
  worker = new Miniflare({
    modules: [{ type: 'ESModule', path: 'worker.mjs', contents: outputFiles[0]?.text ?? '' }],
    compatibilityDate: '2026-07-01',
    cf: false,
    host: '127.0.0.1',
    log: new Log(LogLevel.NONE),
    // What it says of requests that are none is not for whoever reads the tests.
    handleRuntimeStdio: (out: Readable, err: Readable) => {
      out.resume()
      err.resume()
    },
    durableObjects: { OBJECTS: { className: 'Objects', useSQLite: true } },
    durableObjectsPersist: folder,
  })
  await worker.ready
})
afterAll(async () => {
  await worker.dispose()
  await rm(folder, { recursive: true, force: true })
})

/** Infinity is null in JSON: whoever asks for all asks for very much. */
const finite = (_: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isFinite(value)
    ? Math.sign(value) * Number.MAX_SAFE_INTEGER
    : value

interface Call {
  readonly method: string
  readonly args: readonly unknown[]
}

interface Answer {
  readonly result?: unknown
  readonly error?: { readonly code: BusErrorCode; readonly message: string }
}

async function openStore(name: string): Promise<Store> {
  let calls: Call[] = []
  let answers: Promise<Answer[]> | undefined
  const send = async (): Promise<Answer[]> => {
    await Promise.resolve()
    const body = JSON.stringify(calls, finite)
    calls = []
    answers = undefined
    const response = await worker.dispatchFetch(`http://object/${name}`, { method: 'POST', body })
    return (await response.json()) as Answer[]
  }
  const call = async (method: string, args: readonly unknown[]): Promise<unknown> => {
    const index = calls.push({ method, args }) - 1
    answers ??= send()
    const { result, error } = (await answers)[index] as Answer
    if (error) throw new BusError(error.code, error.message)
    // What is nothing comes as null where it stands in a list.
    return Array.isArray(result) && method === 'state'
      ? result.map((one) => one ?? undefined)
      : result
  }
  await call('open', [])
  const methods = METHODS.map((method) => [method, (...args: unknown[]) => call(method, args)])
  return { durability: 'disk', ...Object.fromEntries(methods) } as Store
}

const METHODS = [
  'load',
  'state',
  'head',
  'append',
  'read',
  'first',
  'trimmedAt',
  'find',
  'wasTrimmed',
  'findByTime',
  'stats',
  'trim',
  'delete',
  'wasDeleted',
  'purge',
  'rooms',
  'signal',
  'close',
] as const satisfies (keyof Store)[]

storeContract(
  { describe, it, expect },
  'durableObjectStore',
  async () => {
    const name = `object-${++objects}`
    return { store: await openStore(name), reopen: () => openStore(name) }
  },
  { lasts: true },
)
