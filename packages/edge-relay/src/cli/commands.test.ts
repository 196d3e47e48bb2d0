/** The commands for a room, each in a process of its own against a relay in another. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createRelay } from '../relay.ts'
import { type RelayServer, serve } from '../runtimes/node.ts'
import { Commands } from '../testing/cli-run.ts'

const servers: RelayServer[] = []
let commands: Commands
let folder = ''
beforeAll(async () => {
  commands = await Commands.open()
  folder = commands.folder
})
afterEach(async () => {
  commands.end()
  await Promise.all(servers.splice(0).map((server) => server.close()))
})
afterAll(() => commands.close())

const command = (...given: Parameters<Commands['start']>) => commands.start(...given)
const done = (...given: Parameters<Commands['done']>) => commands.done(...given)
const fails = (...given: Parameters<Commands['fails']>) => commands.fails(...given)

async function start(port = 0): Promise<RelayServer> {
  const auth = (token: string | undefined) =>
    token === 'good'
      ? { subject: 'ann', rights: { publish: ['**'], subscribe: ['**'] } }
      : token === 'reader'
        ? { subject: 'bob', rights: { publish: [], subscribe: ['public.**'] } }
        : undefined
  const server = await serve(
    createRelay({ auth, onError: (error) => expect.fail(String(error)) }),
    { port },
  )
  servers.push(server)
  return server
}

const HEADERS = { authorization: 'Bearer good', 'content-type': 'application/json' }

async function fill(url: string, count: number, from = 1): Promise<void> {
  const events = Array.from({ length: count }, (_, i) => ({
    type: i % 2 ? 'a.b' : 'public.c',
    data: from + i,
  }))
  for (let at = 0; at < count; at += 1_000) {
    const body = JSON.stringify(events.slice(at, at + 1_000))
    await fetch(`${url}/rooms/r/events`, { method: 'POST', headers: HEADERS, body })
  }
}

describe('publish', () => {
  it('publishes one event, and says where it stands', async () => {
    const { url } = await start()
    const args = ['publish', 'order.created', '{"total":12}', '--stream', 'order-1', '--id', 'o1']
    const [first] = await done(url, args)
    expect(first).toMatchObject({
      id: expect.stringMatching(/^h-/),
      position: expect.any(String),
      revision: 1,
    })
    expect(await done(url, args)).toEqual([first])
    expect(await done(url, ['replay'])).toMatchObject([
      { type: 'order.created', data: { total: 12 }, source: 'cli', stream: 'order-1' },
    ])
  })

  it('publishes lines of standard input, all or none', async () => {
    const { url } = await start()
    const input = '{"type":"a.b","data":1}\n\n{"type":"a.c","data":{"x":[2]}}\n'
    expect(await done(url, ['publish', '-'], { input })).toHaveLength(2)
    const bad = '{"type":"a.b","data":3}\n{"type":\n'
    expect(await fails(url, ['publish', '-'], { input: bad })).toEqual([
      2,
      expect.stringContaining('line 2'),
    ])
    expect(await done(url, ['replay'])).toMatchObject([{ data: 1 }, { data: { x: [2] } }])
  })

  it('says what is wrong with what it is given', async () => {
    const { url } = await start()
    const wrong: [string[], string][] = [
      [['publish', 'order created'], 'segments'],
      [['publish', 'a.b', 'text'], 'must be JSON'],
      [['publish', 'a.b', '1', '--stream', 's', '--expected-revision', '4'], 'conflict'],
      [['publish', 'a.b', '--expected-revision', 'soon'], 'whole number'],
    ]
    for (const [args, why] of wrong)
      expect(await fails(url, args)).toEqual([2, expect.stringContaining(why)])
  })
})

describe('tail', () => {
  it('writes what comes, of the types asked for, and ends with SIGINT', async () => {
    const { url } = await start()
    await fill(url, 2)
    const run = command(url, ['tail', 'public.**', 'b'])
    // Nothing tells that it listens, but that it hears.
    await vi.waitFor(async () => {
      await fill(url, 2, 100)
      expect(run.lines().length).toBeGreaterThan(0)
    }, 20_000)
    for (const line of run.lines()) expect(line).toMatchObject({ type: 'public.c', data: 100 })
    run.child.kill('SIGINT')
    expect(await run.exited).toBe(0)
    expect(run.seen.error).toBe('')
  })

  it('goes on over a restart of the relay, on the same port, and misses nothing', async () => {
    const first = await start()
    const run = command(first.url, ['tail', '--since', '1h'])
    await fill(first.url, 2)
    await vi.waitFor(() => expect(run.lines()).toHaveLength(2), 20_000)
    await first.close()
    const second = await start(first.port)
    await fill(second.url, 2, 50)
    await vi.waitFor(() => expect(run.lines().length).toBeGreaterThanOrEqual(4), 30_000)
    expect(run.lines().slice(2)).toMatchObject([{ data: 50 }, { data: 51 }])
    // The room of the second is another, of which it was told.
    expect(run.seen.error).toContain('a gap in the room')
  })

  it('ends, and says why, where the relay is not there or does not want it', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    server.close()
    const [code, why] = await fails(`http://127.0.0.1:${port}`, ['tail'])
    expect([code, why]).toEqual([1, expect.stringContaining('cannot be reached: ECONNREFUSED')])
    const { url } = await start()
    const [refused, reason] = await fails(url, ['tail'], { token: 'wrong-secret' })
    expect([refused, reason]).toEqual([2, expect.stringContaining('(unauthorized)')])
    expect(reason).not.toContain('wrong-secret')
  })

  it('ends when its reader does', async () => {
    const { url } = await start()
    await fill(url, 4_000)
    const run = command(url, ['tail', '--since', '1h'])
    await once(run.child.stdout as NonNullable<ChildProcess['stdout']>, 'data')
    run.child.stdout?.destroy()
    expect(await run.exited).toBe(0)
    expect(run.seen.error).toBe('')
  })
})

describe('replay and stats', () => {
  it('write what there is, over many pages, and end', async () => {
    const { url } = await start()
    await fill(url, 2_500)
    expect((await done(url, ['replay'])).map((event) => (event as { data: number }).data)).toEqual(
      Array.from({ length: 2_500 }, (_, i) => i + 1),
    )
    expect(await done(url, ['replay', 'a.b', '--limit', '3'])).toMatchObject([
      { data: 2 },
      { data: 4 },
      { data: 6 },
    ])
    expect(await done(url, ['replay'], { token: 'reader' })).toHaveLength(1_250)
    expect(await done(url, ['stats'])).toMatchObject([{ events: 2_500 }])
  })

  it('end when their reader does', async () => {
    const { url } = await start()
    await fill(url, 5_000)
    const run = command(url, ['replay'])
    await once(run.child.stdout as NonNullable<ChildProcess['stdout']>, 'data')
    run.child.stdout?.destroy()
    expect(await run.exited).toBe(0)
    expect(run.seen.error).toBe('')
  })
})

describe('export and import', () => {
  it('bring a room to another relay, whole and in order, and a second time nothing', async () => {
    const from = await start()
    await fill(from.url, 2_300)
    const special = {
      type: 'a.b',
      stream: 's-1',
      correlationId: 'talk',
      metadata: { userId: 'u' },
      time: 5,
    }
    await fetch(`${from.url}/rooms/r/events`, {
      method: 'POST',
      headers: HEADERS,
      body: JSON.stringify(special),
    })
    const out = command(from.url, ['export', '--out', 'room.ndjson'])
    expect([await out.exited, out.seen.error]).toEqual([0, '2301 events written to room.ndjson\n'])
    const to = await start()
    const into = command(to.url, ['import', 'room.ndjson'])
    expect([await into.exited, into.seen.error]).toEqual([
      0,
      '2301 events published, 0 the room had already\n',
    ])
    const again = command(to.url, ['import', 'room.ndjson'])
    expect([await again.exited, again.seen.error]).toEqual([
      0,
      '0 events published, 2301 the room had already\n',
    ])
    const [before, after] = await Promise.all([from, to].map(({ url }) => done(url, ['replay'])))
    const said = (events: unknown[] | undefined) =>
      events?.map((event) => {
        const {
          id: _,
          ownId: __,
          position: ___,
          correlationId: ____,
          ...rest
        } = event as Record<string, unknown>
        return rest
      })
    expect(said(after)).toEqual(said(before))
    expect(after?.at(-1)).toMatchObject({ ...special, revision: 1 })
  })

  it('write to standard output and read from standard input', async () => {
    const from = await start()
    await fill(from.url, 3)
    const lines = await done(from.url, ['export'])
    expect(lines).toHaveLength(3)
    const to = await start()
    const input = lines.map((line) => JSON.stringify(line)).join('\n')
    const run = command(to.url, ['import', '-'], { input })
    expect([await run.exited, run.seen.error]).toEqual([
      0,
      '3 events published, 0 the room had already\n',
    ])
  })

  const good = '{"specversion":"1.0","id":"1","source":"s","type":"a.b","data":1}'
  it.each([
    ['a line that is not JSON', `${good}\n{"specversion":`, 'line 2 is not JSON'],
    ['a line that is no CloudEvent', `${good}\n\n{"type":"a.b"}`, 'line 3 is not a CloudEvent'],
    ['a type that is none', good.replace('a.b', 'a b'), 'line 1 is not a CloudEvent'],
  ])('publish nothing of a file with %s, and name it', async (_, content, why) => {
    const { url } = await start()
    await writeFile(join(folder, 'damaged.ndjson'), content)
    const [code, reason] = await fails(url, ['import', 'damaged.ndjson'])
    expect([code, reason]).toEqual([2, expect.stringContaining(why)])
    expect(reason).toContain('nothing of the file was published')
    expect(await done(url, ['replay'])).toEqual([])
  })

  it('leave no half of a file where the relay goes away', async () => {
    const { url } = await start()
    const [code] = await fails(url, ['export', '--out', 'half.ndjson'], { token: 'wrong' })
    expect(code).toBe(2)
    expect((await readdir(folder)).filter((name) => name.startsWith('half'))).toEqual([])
    const [missing, why] = await fails(url, ['import', 'missing.ndjson'])
    expect([missing, why]).toEqual([2, expect.stringContaining('missing.ndjson cannot be read')])
  })
})

describe('every command', () => {
  it.each([
    ['a room that is none', ['tail', '--room', 'a/b'], 'a room is'],
    ['an address that is none', ['stats', '--url', 'relay'], 'give an address'],
    ['a pattern that is none', ['tail', '**.x'], 'no pattern'],
    ['a token that is in no file', ['stats', '--token-file', 'none'], 'cannot be read'],
    ['a flag that is none', ['replay', '--fast'], "unknown option '--fast'"],
  ])('refuses %s', async (_, args, why) => {
    expect(await fails('http://127.0.0.1:9', args)).toEqual([2, expect.stringContaining(why)])
  })

  it('takes the token from a file', async () => {
    const { url } = await start()
    await writeFile(join(folder, 'token'), 'good\n')
    await fill(url, 1)
    expect(await done(url, ['replay', '--token-file', 'token'], { token: '' })).toHaveLength(1)
  })
})
