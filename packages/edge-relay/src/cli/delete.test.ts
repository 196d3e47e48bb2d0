import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import type { Auth } from '../auth.ts'
import { createRelay } from '../relay.ts'
import { type RelayServer, serve } from '../runtimes/node.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const servers: RelayServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function start(): Promise<string> {
  const rights = { publish: ['**'], subscribe: ['**'] }
  const auth: Auth = (token) =>
    token === 'admin' || token === 'user'
      ? { subject: token, rights: { ...rights, ...(token === 'admin' && { delete: true }) } }
      : undefined
  const server = await serve(createRelay({ auth }), { port: 0 })
  servers.push(server)
  const { status } = await fetch(`${server.url}/rooms/r/events`, {
    method: 'POST',
    headers: { authorization: 'Bearer user', 'content-type': 'application/json' },
    body: '{"type":"a.b"}',
  })
  expect(status).toBe(201)
  return server.url
}

/** Exit code, and what was written, of `delete-room`. */
async function deleteRoom(url: string, token: string, ...args: string[]) {
  const env = { ...process.env, CROSSTOWN_URL: url, CROSSTOWN_ROOM: 'r', CROSSTOWN_TOKEN: token }
  const child = spawn(process.execPath, [MAIN, 'delete-room', ...args], { env })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      text += String(chunk)
    })
  const [code] = (await once(child, 'close')) as [number | null]
  return [code, text.trim()]
}

it('deletes a room where it is allowed, and said to be meant', async () => {
  const url = await start()
  expect(await deleteRoom(url, 'admin')).toEqual([2, expect.stringContaining('--yes')])
  expect(await deleteRoom(url, 'user', '--yes')).toEqual([2, expect.stringContaining('forbidden')])
  expect(await deleteRoom(url, 'admin', '--yes')).toEqual([0, '{"deleted":"r"}'])
  expect(await deleteRoom(url, 'admin', '--yes')).toEqual([
    2,
    expect.stringContaining('no such room'),
  ])
})

it('says that the relay cannot be reached', async () => {
  const url = await start()
  await servers.pop()?.close()
  expect(await deleteRoom(url, 'admin', '--yes')).toEqual([
    1,
    expect.stringContaining('cannot be reached'),
  ])
})
