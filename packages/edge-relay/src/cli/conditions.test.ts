/**
 * Every command that is about a room, where something is wrong: nobody is there, the token is none,
 * whoever is there is no relay, it goes away in the middle, or nobody reads what is written.
 */
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createRelay } from '../relay.ts'
import { type RelayServer, serve } from '../runtimes/node.ts'
import { Commands } from '../testing/cli-run.ts'

const HEADERS = { authorization: 'Bearer good', 'content-type': 'application/json' }

let commands: Commands
let server: RelayServer
let url = ''
const others: Server[] = []
beforeAll(async () => {
  commands = await Commands.open()
  await writeFile(join(commands.folder, 'room.ndjson'), linesOf(3))
})
beforeEach(async () => {
  const rights = { publish: ['**'], subscribe: ['**'] }
  const auth = (token: string | undefined) =>
    token === 'good' ? { subject: 'ann', rights } : undefined
  server = await serve(createRelay({ auth, onError: (error) => expect.fail(String(error)) }), {
    port: 0,
  })
  url = server.url
})
afterEach(async () => {
  commands.end()
  for (const other of others.splice(0)) {
    other.closeAllConnections()
    other.close()
  }
  await server.close()
})
afterAll(() => commands.close())

/** Lines of a file to import. */
function linesOf(count: number, data: (n: number) => unknown = (n) => n): string {
  return Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      ...{ specversion: '1.0', id: `${i + 1}`, source: 's', type: 'a.b', data: data(i + 1) },
    }),
  ).join('\n')
}

async function fill(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1_000) {
    const events = Array.from({ length: Math.min(1_000, count - at) }, (_, i) => ({
      type: 'a.b',
      data: { n: at + i, text: 'x'.repeat(100) },
    }))
    const body = JSON.stringify(events)
    const answer = await fetch(`${url}/rooms/r/events`, { method: 'POST', headers: HEADERS, body })
    expect(answer.status).toBe(201)
  }
}

async function eventsInRoom(): Promise<number> {
  const answer = await fetch(`${url}/rooms/r/stats`, { headers: HEADERS })
  return answer.status === 404 ? 0 : ((await answer.json()) as { events: number }).events
}

/** What is left in the folder beside what was put there. */
async function filesLeft(): Promise<string[]> {
  const kept = ['room.ndjson', 'large.ndjson']
  return (await readdir(commands.folder)).filter((name) => !kept.includes(name))
}

const INPUT = { input: '{"type":"a.b","data":1}\n' }
const ALL: [string, string[], { input?: string }][] = [
  ['tail', ['tail'], {}],
  ['publish', ['publish', 'a.b', '1'], {}],
  ['publish, of lines', ['publish', '-'], INPUT],
  ['replay', ['replay'], {}],
  ['stats', ['stats'], {}],
  ['export', ['export'], {}],
  ['export, to a file', ['export', '--out', 'out.ndjson'], {}],
  ['import', ['import', 'room.ndjson'], {}],
  ['import, of standard input', ['import', '-'], { input: linesOf(1) }],
]

describe.each(ALL)('%s', (_, args, given) => {
  it('ends with 1 and one line where nobody is there', async () => {
    const gone = createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    const { port } = gone.address() as AddressInfo
    gone.close()
    const [code, why] = await commands.fails(`http://127.0.0.1:${port}`, args, given)
    expect([code, why]).toEqual([1, expect.stringContaining('cannot be reached: ECONNREFUSED')])
    expect(await filesLeft()).toEqual([])
  })

  it('ends with 2 and one line where the token is none, and tells nobody the token', async () => {
    const token = 'a-token-nobody-has'
    const [code, why] = await commands.fails(url, args, { ...given, token })
    expect([code, why]).toEqual([2, expect.stringContaining('(unauthorized)')])
    expect(why).not.toContain(token)
    expect([await filesLeft(), await eventsInRoom()]).toEqual([[], 0])
  })

  it('ends with 2 and one line where there is another server', async () => {
    const page = createServer((_, response) => response.end('<h1>hello</h1>'))
    others.push(page.listen(0, '127.0.0.1'))
    await once(page, 'listening')
    const { port } = page.address() as AddressInfo
    const [code, why] = await commands.fails(`http://127.0.0.1:${port}`, args, given)
    expect([code, why]).toEqual([2, expect.stringContaining('is it a relay?')])
    expect(await filesLeft()).toEqual([])
  })
})

/** A way to the relay that lets so many requests through, and cuts the next answer in the middle. */
async function breakingAfter(requests: number): Promise<string> {
  let left = requests
  const proxy = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method = 'GET', headers } = request
    const body = method === 'GET' ? null : Buffer.concat(chunks)
    const answer = await fetch(`${url}${request.url}`, {
      method,
      headers: {
        ...HEADERS,
        'content-type': headers['content-type'] ?? '',
        accept: headers.accept ?? '*/*',
      },
      body,
    })
    const bytes = Buffer.from(await answer.arrayBuffer())
    const names = ['content-type', 'link'].flatMap((name) => {
      const value = answer.headers.get(name)
      return value === null ? [] : [[name, value] as const]
    })
    response.writeHead(answer.status, {
      ...Object.fromEntries(names),
      'content-length': bytes.length,
    })
    if (left-- > 0) response.end(bytes)
    else response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy())
  })
  others.push(proxy.listen(0, '127.0.0.1'))
  await once(proxy, 'listening')
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
}

describe('where the relay goes away in the middle', () => {
  it('replay writes whole lines, and ends with 1', async () => {
    await fill(2_500)
    const run = commands.start(await breakingAfter(1), ['replay'])
    expect(await run.exited).toBe(1)
    expect(run.lines()).toHaveLength(1_000)
    expect(run.seen.error).toMatch(/^crosstown-relay: the answer of \S+ broke off: [^\n]+\n$/)
  })

  it('export leaves no half of a file, nor a changed one', async () => {
    await fill(2_500)
    await writeFile(join(commands.folder, 'large.ndjson'), 'from before')
    const [code, why] = await commands.fails(await breakingAfter(2), [
      ...['export', '--out', 'large.ndjson'],
    ])
    expect([code, why]).toEqual([1, expect.stringContaining('broke off')])
    expect(await filesLeft()).toEqual([])
    const [before] = await commands.done(url, ['stats'])
    expect(before).toMatchObject({ events: 2_500 })
  })

  it('import says how far it came, and goes on there when it is done again', async () => {
    await writeFile(join(commands.folder, 'large.ndjson'), linesOf(2_500))
    // The room's size, the first thousand, and of the second thousand no answer.
    const [code, why] = await commands.fails(await breakingAfter(2), ['import', 'large.ndjson'])
    expect([code, why]).toEqual([1, expect.stringContaining('1000 of 2500 events were published')])
    expect(await eventsInRoom()).toBe(2_000)
    const again = commands.start(url, ['import', 'large.ndjson'])
    expect([await again.exited, again.seen.error]).toEqual([
      0,
      '500 events published, 2000 the room had already\n',
    ])
  })
})

describe('an import of which the relay would refuse a line far behind', () => {
  it.each([
    ['an event that is too large', { data: 'x'.repeat(300_000) }, 'too_large'],
    ['a type that is for the system', { type: '$bus.opened' }, 'type'],
    ['a field that is none', { time: 'yesterday' }, 'time'],
  ])('publishes nothing: %s', async (_, wrong, why) => {
    const line = JSON.stringify({ specversion: '1.0', id: 'w', source: 's', type: 'a.b', ...wrong })
    await writeFile(join(commands.folder, 'large.ndjson'), `${linesOf(1_200)}\n${line}\n`)
    const [code, reason] = await commands.fails(url, ['import', 'large.ndjson'])
    expect([code, reason]).toEqual([2, expect.stringContaining('line 1201 ')])
    expect(reason).toContain(why)
    expect(reason).toContain('nothing of the file was published')
    expect(await eventsInRoom()).toBe(0)
  })
})

describe('a reader that ends', () => {
  const many = Array.from({ length: 1_000 }, (_, n) => JSON.stringify({ type: 'a.b', data: n }))
  it.each([
    ['replay', ['replay'], ''],
    ['export', ['export'], ''],
    ['tail', ['tail', '--since', '1h'], ''],
    ['stats', ['stats'], ''],
    ['publish', ['publish', '-'], many.join('\n')],
  ])('ends %s with 0 and no word', async (_, args, input) => {
    await fill(4_000)
    const run = commands.start(url, args, { input })
    // Closed before the first byte, so that even the shortest answer finds nobody.
    run.child.stdout?.destroy()
    expect([await run.exited, run.seen.error]).toEqual([0, ''])
  })
})
