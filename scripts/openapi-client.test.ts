/** A client that somebody generates from the OpenAPI document speaks with a relay. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRelay } from '@crosstown/edge-relay'
import { serve } from '@crosstown/edge-relay/node'
import { createClient } from '@hey-api/openapi-ts'
import { afterEach, expect, it } from 'vitest'
import { root } from './lib/project.mjs'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** What a user of the client writes; the compiler sees it, too. */
const USER = `
import { client } from './client/client.gen.ts'
import { getHealth, getReady, publishEvents, readEvent, readEvents, readStats } from './client/index.ts'

client.setConfig({ baseUrl: process.argv[2] ?? '', auth: 'secret' })
const path = { room: 'shop' }
const say = (...values: unknown[]) => console.log(JSON.stringify(values))

const order = { type: 'order.created', data: { total: 12 }, stream: 'order-7', id: 'po-1' }
const first = await publishEvents({ path, body: order })
const again = await publishEvents({ path, body: [order, { type: 'order.paid', stream: 'order-7' }] })
say(first.response?.status, again.response?.status, again.data?.events.map(({ revision }) => revision))

const page = await readEvents({ path, query: { type: ['order.*'], limit: 1 } })
if (page.data === undefined || !('events' in page.data)) throw new Error('that is no page')
const next = await readEvents({ path, query: { after: page.data.next } })
if (next.data === undefined || !('events' in next.data)) throw new Error('that is no page')
say([...page.data.events, ...next.data.events].map(({ type, data }) => [type, data]))

const id = first.data?.events[0]?.id ?? ''
const one = await readEvent({ path: { ...path, id } })
if (one.data === undefined || !('position' in one.data)) throw new Error('that is no event')
say(one.data.ownId, (await readStats({ path })).data?.events)

const conflict = await publishEvents({ path, body: { ...order, id: 'po-2', expectedRevision: 'none' } })
say(conflict.error?.error.code, conflict.error?.error.currentRevision)
say((await getHealth()).data?.status, (await getReady()).data?.status)

// @ts-expect-error an event has a type
void (() => publishEvents({ path, body: { data: 1 } }))
// @ts-expect-error a limit is a number
void (() => readEvents({ path, query: { limit: 'all' } }))
`

it('a client generated from the document publishes and reads', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-client-'))
  folders.push(folder)
  const rights = { publish: ['**'], subscribe: ['**'] }
  const auth = (token?: string) => (token === 'secret' ? { subject: 'ann', rights } : undefined)
  const server = await serve(createRelay({ auth }), { port: 0 })
  try {
    const document = await (await fetch(`${server.url}/openapi.json`)).json()
    await createClient({
      input: document as Record<string, unknown>,
      output: { path: join(folder, 'client'), module: { extension: '.ts' } },
      plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
      logs: { level: 'silent' },
    })
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    writeFileSync(join(folder, 'user.ts'), USER)
    const options = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2024', 'dom', 'dom.iterable', 'dom.asynciterable'],
      types: ['node'],
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true,
    }
    const config = { compilerOptions: options, files: ['user.ts'] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    expect(await output(folder, tsc, '-p', '.', '--pretty', 'false')).toBe('')
    expect((await output(folder, 'user.ts', server.url)).trim().split('\n')).toEqual([
      '[201,201,[1,2]]',
      '[[["order.created",{"total":12}],["order.paid",null]]]',
      '["po-1",2]',
      '["conflict",2]',
      '["ok","ready"]',
    ])
  } finally {
    await server.close()
  }
})

/** Runs Node, and gives what it wrote. */
async function output(cwd: string, ...args: string[]): Promise<string> {
  const child = spawn(process.execPath, args, { cwd })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
  await new Promise((resolve) => child.once('close', resolve))
  return text
}
