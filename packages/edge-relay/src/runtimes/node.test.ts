import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BUS_ERROR_CODES, BusError, SUBPROTOCOL } from '@crosstown/bus/protocol'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Auth } from '../auth.ts'
import type { RelayOptions } from '../options.ts'
import { createRelay } from '../relay.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import { connectProbe, headerOf, type Probe, publishOf } from '../testing/probe.ts'
import { type RelayServer, serve } from './node.ts'

const servers: RelayServer[] = []
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-node-'))
})
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function start(options: RelayOptions = {}): Promise<RelayServer & { socket: string }> {
  const server = await serve(
    createRelay({ onError: (error) => expect.fail(String(error)), ...options }),
    { port: 0 },
  )
  servers.push(server)
  return { ...server, socket: `${server.url.replace('http', 'ws')}/rooms/42/socket` }
}

async function joined(
  url: string,
  device: string,
  extra = {},
): Promise<Probe & { close(): void; from: string }> {
  const probe = await connectProbe(url)
  const { from } = await probe.join(device, extra)
  return Object.assign(probe, { from })
}

/** What the server answers to an upgrade that it refuses. */
function refusal(
  url: string,
  headers: Record<string, string>,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url.replace('ws', 'http'), {
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        'sec-websocket-protocol': SUBPROTOCOL,
        ...headers,
      },
    })
    asked.on('upgrade', (_, socket) => {
      socket.destroy()
      reject(new Error('it was upgraded'))
    })
    asked.on('response', async (response) => {
      let body = ''
      for await (const chunk of response) body += String(chunk)
      resolve({ status: response.statusCode ?? 0, body })
    })
    asked.on('error', reject)
    asked.end()
  })
}

describe('the relay on Node', () => {
  it('carries events between two devices, and resumes one with exactly what it missed', async () => {
    const { socket } = await start()
    const [one, two] = [await joined(socket, 'one'), await joined(socket, 'two')]
    one.send(publishOf(1, undefined, ['a-1', 'a-2']), ['{"sku":"ü😀"}', '2'])
    expect((await one.next('ack')).frame).toEqual({ frame: 'ack', batch: 1 })
    const heard = await two.next('stream')
    expect(heard.data).toEqual(['{"sku":"ü😀"}', '2'])
    expect((await one.next('stream')).frame.runs).toMatchObject([
      { place: 1, own: { batch: 1, indexes: [0, 1] } },
    ])

    two.close()
    await two.end()
    one.send(publishOf(2, 1, ['a-3']), ['3'])
    one.send(publishOf(3, 2, ['a-4']), ['4'])
    await one.next('ack')
    await one.next('ack')
    const again = await joined(socket, 'two', { cursor: heard.frame.position })
    expect(again.from).toBe(heard.frame.position)
    expect((await again.stream(again.from, (ids) => ids.includes('a-4'))).ids).toEqual([
      'a-3',
      'a-4',
    ])
  })

  it('keeps a room over a restart on the same file', async () => {
    const path = join(folder, 'restart.db')
    const first = await start({ store: sqliteStore(path) })
    const one = await joined(first.socket, 'one')
    one.send(publishOf(1, undefined, ['a-1']), ['"kept"'])
    await one.next('ack')
    const { position } = (await one.next('stream')).frame
    await first.close()
    expect((await one.next('goaway')).frame.afterMs).toBeGreaterThan(0)
    expect(await one.end()).toEqual({ code: BUS_ERROR_CODES.going_away, reason: 'going_away' })

    const second = await start({ store: sqliteStore(path) })
    const probe = await connectProbe(second.socket)
    const welcome = await probe.join('one', { cursor: position })
    expect(welcome).toMatchObject({
      head: position,
      from: position,
      recovered: true,
      taken: { batch: 1, id: 'a-1' },
      durability: 'disk',
    })
    const late = await joined(second.socket, 'late')
    expect((await late.next('stream')).data).toEqual(['"kept"'])
    const read = (await (await fetch(`${second.url}/rooms/42/events`)).json()) as {
      events: { data: string }[]
    }
    expect(read.events.map(({ data }) => data)).toEqual(['kept'])
  })

  it('catches a new device up over many frames while others go on writing', async () => {
    const { socket } = await start()
    const writer = await joined(socket, 'writer')
    const total = 200
    const filler = JSON.stringify('x'.repeat(20_000))
    const write = (batch: number): void =>
      writer.send(publishOf(batch, batch === 1 ? undefined : batch - 1, [`a-${batch}`]), [filler])
    for (let batch = 1; batch <= total / 2; batch++) write(batch)
    await writer.stream(writer.from, (_, { runs }) =>
      runs.some((run) => 'own' in run && run.own.batch === total / 2),
    )
    const probe = await connectProbe(socket)
    const { from, head } = await probe.join('late')
    for (let batch = total / 2 + 1; batch <= total; batch++) write(batch)
    const { frames, ids } = await probe.stream(from, (all) => all.includes(`a-${total}`))
    expect(ids).toEqual(Array.from({ length: total }, (_, i) => `a-${i + 1}`))
    expect(frames.length).toBeGreaterThan(4)
    expect(frames.map(({ position }) => position)).toContain(head)
  })

  it('refuses foreign pages and other subprotocols before the upgrade, and says why', async () => {
    const { socket, port } = await start()
    expect(await refusal(socket, { origin: 'https://evil.example' })).toEqual({
      status: 403,
      body: expect.stringContaining('"bad_origin"'),
    })
    expect(await refusal(socket, { host: `rebound.example:${port}` })).toMatchObject({
      status: 403,
    })
    expect(await refusal(socket, { 'sec-websocket-protocol': 'other' })).toMatchObject({
      status: 400,
    })
    expect(await refusal(socket.replace('/42/', '/a%2Fb/'), {})).toMatchObject({ status: 400 })
    expect(await refusal(socket.replace('/socket', '/nothing'), {})).toMatchObject({ status: 404 })
    expect((await fetch(socket.replace('ws', 'http'))).status).toBe(426)
    await expect(connectProbe(socket, 'other')).rejects.toBeInstanceOf(BusError)
  })

  it('closes only the connection that sends a bad frame, however bad', async () => {
    const { socket } = await start()
    const good = await joined(socket, 'good')
    const bad = await joined(socket, 'bad')
    bad.sendRaw('{"frame":')
    expect((await bad.next('error')).frame.code).toBe('bad_frame')
    expect(await bad.end()).toEqual({ code: BUS_ERROR_CODES.bad_frame, reason: 'bad_frame' })
    const bytes = await joined(socket, 'bytes')
    bytes.sendRaw(new Uint8Array(8))
    expect(await bytes.end()).toMatchObject({ reason: 'bad_frame' })
    const large = await joined(socket, 'large')
    large.sendRaw('x'.repeat(1_100_000))
    expect(await large.end()).toEqual({ code: BUS_ERROR_CODES.too_large, reason: 'too_large' })
    const larger = await joined(socket, 'larger')
    larger.sendRaw('x'.repeat(3_000_000))
    expect((await larger.end()).code).toBe(1009)
    good.send({ frame: 'ping' })
    await good.next('heartbeat')
  })

  it('survives a socket that breaks off in the middle of its upgrade, and nonsense', async () => {
    const { port, socket } = await start()
    for (const text of [
      'GET /rooms/r/socket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      'GET http://%%% HTTP/1.1\r\nHost: a b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    ]) {
      await new Promise<void>((resolve) => {
        const raw = connect(port, '127.0.0.1', () => raw.write(text))
        raw.on('data', () => raw.destroy())
        raw.on('error', () => {})
        raw.on('close', () => resolve())
      })
    }
    await joined(socket, 'd')
  })

  it.each([
    ['403', 'GET /rooms/r/socket HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example'],
    ['400', 'GET http://%%% HTTP/1.1\r\nHost: a b'],
  ])('lets go of who was refused an upgrade with %s and does not hang up', async (status, text) => {
    const { port } = await start()
    const stream = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    stream.on('error', () => {})
    const gone = new Promise((resolve) => stream.on('close', resolve))
    let answer = ''
    stream.on('data', (bytes) => {
      answer += String(bytes)
    })
    stream.write(`${text}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
    await once(stream, 'end')
    expect(answer).toContain(`HTTP/1.1 ${status} `)
    // Whoever has let go of it refuses what still comes.
    const more = setInterval(() => stream.write('x'), 10)
    await gone
    clearInterval(more)
  })

  it('takes a body that comes in pieces and does not say its length, within its limit', async () => {
    const { url } = await start()
    const post = (...pieces: string[]) =>
      fetch(`${url}/rooms/42/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: new ReadableStream({
          start(controller) {
            for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece))
            controller.close()
          },
        }),
        duplex: 'half',
      } as RequestInit)
    expect((await post('{"type":"a', '.b","data":1}')).status).toBe(201)
    const large = await post('{"type":"a.b","data":"', ...Array(20).fill('x'.repeat(100_000)), '"}')
    expect(large.status).toBe(413)
    expect(await large.json()).toMatchObject({ error: { code: 'too_large' } })
  })

  it('holds rights over the socket', async () => {
    const auth: Auth = (token) =>
      token === 'guest'
        ? { subject: 'guest', rights: { publish: ['chat'], subscribe: ['chat'] } }
        : undefined
    const { socket } = await start({ auth })
    const guest = await joined(socket, 'guest', { token: 'guest' })
    guest.send(publishOf(1, undefined, [headerOf('g-1', 'admin'), headerOf('g-2', 'chat')]), [
      '1',
      '2',
    ])
    expect((await guest.next('ack')).frame.refused).toEqual([[0, 'forbidden']])
    const nobody = await connectProbe(socket)
    await expect(nobody.join('nobody')).rejects.toThrow('unauthorized')
  })

  it('refuses to be reached from elsewhere without auth, and a port that is taken', async () => {
    const relay = createRelay()
    await expect(serve(relay, { host: '0.0.0.0', port: 0 })).rejects.toMatchObject({
      code: 'invalid_options',
    })
    const { port } = await start()
    await expect(serve(relay, { port })).rejects.toMatchObject({ code: 'unavailable' })
    await relay.close()
  })
})
