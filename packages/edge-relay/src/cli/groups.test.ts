import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { createRelay } from '../relay.ts'
import { type RelayServer, serve } from '../runtimes/node.ts'
import { GroupDevice } from '../testing/group-device.ts'
import { connectProbe } from '../testing/probe.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const servers: RelayServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

/** A room with a group `a b` that has letters at places 1 and 2. */
async function start() {
  const server = await serve(createRelay(), { port: 0 })
  servers.push(server)
  const probe = await connectProbe(`${server.url.replace('http', 'ws')}/rooms/r/socket`)
  await probe.join('one')
  const one = new GroupDevice(probe, { drop: () => probe.close() }, undefined, 'a b')
  await one.join('a')
  await one.publish(['x-1', 'x-2'])
  const leased = await one.leases(2)
  await one.settle(
    'a',
    leased.map(({ generation, place }) => [place, generation, 'term', 0, `why ${place}`] as const),
  )
  return { url: server.url, one }
}

/** Exit code, and the lines that were written. */
async function run(url: string, ...args: string[]): Promise<[number | null, string[]]> {
  const env = { ...process.env, CROSSTOWN_URL: url, CROSSTOWN_ROOM: 'r' }
  const child = spawn(process.execPath, [MAIN, ...args], { env })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      text += String(chunk)
    })
  const [code] = (await once(child, 'close')) as [number | null]
  return [code, text.trim().split('\n')]
}

it('tells of the groups of a room, and has what they gave up tried again, or dropped', async () => {
  const { one, url } = await start()
  const [, [group = '']] = await run(url, 'groups')
  expect(JSON.parse(group)).toMatchObject({ name: 'a b', dead: 2, leased: 0 })
  const letters = ['dead-letters', '--group', 'a b']
  const [code, lines] = await run(url, ...letters)
  expect(code).toBe(0)
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { place: 1, reason: 'why 1', event: { id: 'x-1' } },
    { place: 2, reason: 'why 2' },
  ])
  expect(await run(url, ...letters, '--redrive', '--place', '2')).toEqual([0, ['{"redriven":1}']])
  expect((await one.leases())[0]?.id).toBe('x-2')
  expect(await run(url, ...letters, '--discard')).toEqual([0, ['{"discarded":1}']])
  expect(await run(url, ...letters, '--discard', '--place', '2')).toEqual([
    2,
    [expect.stringContaining('not_found')],
  ])
})

it('deletes a group where that is said to be meant', async () => {
  const { url } = await start()
  const command = ['delete-group', '--group', 'a b']
  expect(await run(url, ...command)).toEqual([2, [expect.stringContaining('--yes')]])
  expect(await run(url, ...command, '--yes')).toEqual([0, ['{"deleted":"a b"}']])
  expect(await run(url, ...command, '--yes')).toEqual([
    2,
    [expect.stringContaining('no such group')],
  ])
  expect(await run(url, 'dead-letters', '--group', 'x', '--redrive', '--discard')).toEqual([
    2,
    [expect.stringContaining('either')],
  ])
})
