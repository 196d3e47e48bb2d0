/**
 * What holds of the relay on every runtime, held by processes of it: `docs/runtimes.md` is the table
 * of what ran here.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { INSPECT_SUBPROTOCOL } from '@crosstown/bus/inspect'
import { BUS_ERROR_CODES, encodeFrame, SUBPROTOCOL } from '@crosstown/bus/protocol'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { EventStreamProbe } from '../testing/event-stream-probe.ts'
import { GroupDevice, type Leased, settled } from '../testing/group-device.ts'
import { connectInspector } from '../testing/inspector.ts'
import { connectProbe, headerOf, helloOf, publishOf } from '../testing/probe.ts'
import { masked, refusal, upgraded } from '../testing/raw-upgrade.ts'
import { endAll, type Flags, type RelayProcessHandle, RUNTIMES } from '../testing/relay-process.ts'

let folder = ''
let files = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-runtimes-'))
})
afterEach(endAll)
afterAll(() => rm(folder, { recursive: true, force: true }))

const newFile = (): string => join(folder, `${++files}.db`)

interface Point {
  readonly title: string
  /** Of what only a process does. */
  readonly onProcesses?: true
  /** Of what only objects do, that go out of memory and are told nothing of their buffers. */
  readonly onObjects?: true
  readonly run: (start: Start) => Promise<void>
}
type Start = (flags?: Flags) => Promise<RelayProcessHandle>

async function joined(url: string, device: string, extra = {}) {
  const probe = await connectProbe(url)
  const { from, head } = await probe.join(device, extra)
  return Object.assign(probe, { from, head })
}

/** A device that has members of groups. */
async function grouped(url: string, device: string): Promise<GroupDevice> {
  const probe = await joined(url, device)
  return new GroupDevice(probe, { drop: () => probe.close() }, undefined)
}

/** Devices that the relay has in the room, of which there is a log only once somebody published. */
async function connections(url: string): Promise<number> {
  const { connections = 0 } = (await (await fetch(`${url}/rooms/42/stats`)).json()) as {
    connections?: number
  }
  return connections
}

async function post(url: string, events: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/rooms/42/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(events),
  })
  return {
    status: response.status,
    body: (await response.json()) as { events: { id: string; position: string }[] },
  }
}

const POINTS: readonly Point[] = [
  {
    title: 'two devices hear each other, and one that was away gets exactly what it missed',
    async run(start) {
      const { socket } = await start()
      const [one, two] = [await joined(socket, 'one'), await joined(socket, 'two')]
      one.send(publishOf(1, undefined, ['a-1', 'a-2']), ['{"sku":"ü😀"}', '2'])
      await one.next('ack')
      const heard = await two.next('stream')
      expect(heard.data).toEqual(['{"sku":"ü😀"}', '2'])
      two.close()
      await two.end()
      one.send(publishOf(2, 1, ['a-3']), ['3'])
      one.send(publishOf(3, 2, ['a-4']), ['4'])
      await one.next('ack')
      await one.next('ack')
      const again = await joined(socket, 'two', { cursor: heard.frame.position })
      const { ids } = await again.stream(again.from, (all) => all.includes('a-4'))
      expect(ids).toEqual(['a-3', 'a-4'])
    },
  },
  {
    title: 'a new device catches up over many frames while others go on writing',
    async run(start) {
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
      const late = await joined(socket, 'late')
      for (let batch = total / 2 + 1; batch <= total; batch++) write(batch)
      const { frames, ids } = await late.stream(late.from, (all) => all.includes(`a-${total}`))
      expect(ids).toEqual(Array.from({ length: total }, (_, i) => `a-${i + 1}`))
      expect(frames.length).toBeGreaterThan(4)
    },
  },
  {
    onProcesses: true,
    title: 'SIGTERM sends devices away to come back, and a restart on the same file has it all',
    async run(start) {
      const file = newFile()
      const first = await start({ file })
      const one = await joined(first.socket, 'one')
      one.send(publishOf(1, undefined, ['a-1']), ['"kept"'])
      await one.next('ack')
      const { position } = (await one.next('stream')).frame
      const [code] = await Promise.all([first.end('SIGTERM'), one.next('goaway')])
      expect(code).toBe(0)
      expect(await one.end()).toEqual({ code: BUS_ERROR_CODES.going_away, reason: 'going_away' })
      const second = await start({ file })
      const probe = await connectProbe(second.socket)
      const welcome = await probe.join('one', { cursor: position })
      expect(welcome).toMatchObject({ head: position, recovered: true, durability: 'disk' })
      const page = (await (await fetch(`${second.url}/rooms/42/events`)).json()) as {
        events: { data: string }[]
      }
      expect(page.events.map(({ data }) => data)).toEqual(['kept'])
    },
  },
  {
    title:
      'foreign pages, other protocols and wrong rooms are refused before the upgrade, with a reason',
    async run(start) {
      const { socket, url } = await start()
      const { port } = new URL(url)
      expect(await refusal(socket, { origin: 'https://evil.example' })).toEqual([403, 'bad_origin'])
      expect(await refusal(socket, { host: `rebound.example:${port}` })).toEqual([
        403,
        'bad_origin',
      ])
      expect(await refusal(socket, { 'sec-websocket-protocol': 'other' })).toEqual([
        400,
        'unsupported_version',
      ])
      expect(await refusal(socket.replace('/42/', '/a%2Fb/'), {})).toEqual([400, 'invalid_room'])
      expect(await refusal(socket.replace('/socket', '/nothing'), {})).toEqual([404, 'not_found'])
      expect((await fetch(socket.replace('ws', 'http'))).status).toBe(426)
    },
  },
  {
    title: 'the subprotocol is the one that both speak, wherever it stands in the offer',
    async run(start) {
      const { socket } = await start()
      for (const offer of [[SUBPROTOCOL], ['other', SUBPROTOCOL], [SUBPROTOCOL, 'other']]) {
        const ws = new WebSocket(socket, offer)
        await new Promise((resolve, reject) => {
          ws.onopen = resolve
          ws.onerror = reject
        })
        expect(ws.protocol).toBe(SUBPROTOCOL)
        ws.close()
      }
    },
  },
  {
    title:
      'an inspector comes by a route and a subprotocol of its own, and sees what the room does',
    async run(start) {
      const { socket } = await start()
      const route = socket.replace('/socket', '/inspect')
      expect(await refusal(route, {})).toEqual([400, 'unsupported_version'])
      const inspect = { 'sec-websocket-protocol': INSPECT_SUBPROTOCOL }
      expect(await refusal(socket, inspect)).toEqual([400, 'unsupported_version'])
      const foreign = { ...inspect, origin: 'https://evil.example' }
      expect(await refusal(route, foreign)).toEqual([403, 'bad_origin'])
      const one = await joined(socket, 'one')
      const panel = await connectInspector(route, INSPECT_SUBPROTOCOL, {
        origin: 'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
      })
      expect(panel.protocol).toBe(INSPECT_SUBPROTOCOL)
      expect(await panel.join()).toMatchObject({ room: '42', peers: 1 })
      panel.attach()
      await panel.hello()
      one.send(publishOf(1, undefined, ['a-1']), ['1'])
      expect(await panel.record('confirmed')).toMatchObject({ ids: [['a', 1, 1]], place: 1 })
      panel.close()
    },
  },
  {
    title: 'a bad frame ends its own connection only, with its code, however bad it is',
    async run(start) {
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
      await larger.end()
      good.send({ frame: 'ping' })
      await good.next('heartbeat')
    },
  },
  {
    title: 'nonsense in place of a request, and upgrades that break off, are survived',
    async run(start) {
      const { socket, url } = await start()
      const { port } = new URL(url)
      for (const text of [
        'GET /rooms/r/socket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
        'GET http://%%% HTTP/1.1\r\nHost: a b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
        'nonsense\r\n\r\n',
      ]) {
        await new Promise<void>((resolve) => {
          const raw = connect(Number(port), '127.0.0.1', () => raw.write(text))
          raw.on('data', () => raw.destroy())
          raw.on('error', () => {})
          raw.on('close', () => resolve())
        })
      }
      await joined(socket, 'd')
    },
  },
  {
    title: 'a device that is gone without a word leaves the room, and takes nobody with it',
    async run(start) {
      const { socket, url } = await start()
      const stays = await joined(socket, 'stays')
      const gone = await upgraded(socket)
      stays.send(publishOf(1, undefined, ['a-1']), ['1'])
      await stays.next('ack')
      gone.write(masked(encodeFrame(helloOf('gone'))))
      while ((await connections(url)) < 2);
      gone.destroy()
      while ((await connections(url)) > 1);
      stays.send(publishOf(2, 1, ['a-2']), ['2'])
      await stays.next('ack')
    },
  },
  {
    title: 'a socket that takes nothing holds nobody up: what it misses waits in the store',
    async run(start) {
      const { socket, url } = await start()
      const writer = await joined(socket, 'writer')
      const slow = await upgraded(socket)
      slow.write(masked(encodeFrame(helloOf('slow'))))
      while ((await connections(url)) < 2);
      slow.pause()
      // What it does not read waits in the store, not in the relay: the room goes on at its pace.
      const filler = JSON.stringify('x'.repeat(200_000))
      const total = 150
      for (let batch = 1; batch <= total; batch++) {
        writer.send(publishOf(batch, batch === 1 ? undefined : batch - 1, [`a-${batch}`]), [filler])
        await writer.next('ack')
      }
      slow.destroy()
      const late = await joined(socket, 'late')
      const { ids } = await late.stream(late.from, (all) => all.length === total)
      expect(ids).toHaveLength(total)
    },
  },
  {
    title: 'HTTP publishes once by id, gives pages, one event, and a wait for the next',
    async run(start) {
      const { url } = await start()
      const event = { id: 'order-1', type: 'order.created', data: { total: 12 }, stream: 'order-1' }
      const first = await post(url, event)
      const again = await post(url, event)
      expect([first.status, again.status]).toEqual([201, 200])
      expect(again.body.events).toEqual(first.body.events)
      const [{ id, position } = { id: '', position: '' }] = first.body.events
      expect(await (await fetch(`${url}/rooms/42/events/${id}`)).json()).toMatchObject({
        type: 'order.created',
        data: { total: 12 },
        revision: 1,
      })
      const waiting = fetch(`${url}/rooms/42/events?after=${position}&wait=30000`)
      await post(url, { type: 'order.paid', stream: 'order-1' })
      expect(await (await waiting).json()).toMatchObject({
        events: [{ type: 'order.paid', revision: 2 }],
      })
    },
  },
  {
    title: 'it says whether it is ready, what its routes are, and what it counted',
    async run(start) {
      const { url } = await start()
      await post(url, [{ type: 'a.b' }])
      const ready = await fetch(`${url}/ready`)
      expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready' }])
      const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object }
      expect(document.paths).toHaveProperty('/rooms/{room}/events')
      const metrics = await fetch(`${url}/metrics`)
      const text = await metrics.text()
      // Where each room is an object there is nothing that could count them all, and it says so.
      if (metrics.status === 404) expect(text).toContain('Durable Object')
      else expect(text).toContain('\ncrosstown_events_total 1\n')
    },
  },
  {
    title: 'a room that is deleted is gone, and its devices come back into an empty one',
    async run(start) {
      const { socket, url } = await start({ file: newFile() })
      const one = await joined(socket, 'one')
      one.send(publishOf(1, undefined, ['a-1']), ['1'])
      const { frame } = await one.next('stream')
      const confirmed = { batch: 1, id: 'a-1' }
      expect((await fetch(`${url}/rooms/42`, { method: 'DELETE' })).status).toBe(204)
      await one.end()
      expect((await fetch(`${url}/rooms/42/stats`)).status).toBe(404)
      expect((await fetch(`${url}/rooms/42`, { method: 'DELETE' })).status).toBe(404)
      const again = await connectProbe(socket)
      const welcome = await again.join('one', { cursor: frame.position, confirmed })
      expect(welcome).toMatchObject({ reason: 'new_epoch', taken: confirmed })
      again.send(publishOf(2, 1, ['a-2']), ['2'])
      await again.next('ack')
      const { events } = (await (await fetch(`${url}/rooms/42/events`)).json()) as {
        events: { id: string }[]
      }
      expect(events.map(({ id }) => id)).toEqual(['a-2'])
    },
  },
  {
    title: 'an event stream goes on where the one before it ended',
    async run(start) {
      const { url } = await start()
      await post(
        url,
        [1, 2, 3].map((data) => ({ type: 'a.b', data })),
      )
      const stream = await EventStreamProbe.open(`${url}/rooms/42/events`)
      expect(stream.response.headers.get('content-type')).toBe('text/event-stream')
      expect(await stream.data(2)).toEqual([1, 2])
      stream.close()
      await post(url, { type: 'a.b', data: 4 })
      const again = await EventStreamProbe.open(`${url}/rooms/42/events`, {
        'last-event-id': stream.lastEventId,
      })
      expect(await again.data(2)).toEqual([3, 4])
      again.close()
    },
  },
  {
    title: 'rights of a token hold over the socket and over HTTP',
    async run(start) {
      const auth = join(folder, `auth-${++files}.mjs`)
      await writeFile(
        auth,
        `export default (token) => token === 'guest' ? { subject: 'guest', rights: { publish: ['chat'], subscribe: ['chat'] } } : undefined\n`,
      )
      const { socket, url } = await start({ auth })
      const guest = await joined(socket, 'guest', { token: 'guest' })
      guest.send(publishOf(1, undefined, [headerOf('g-1', 'admin'), headerOf('g-2', 'chat')]), [
        '1',
        '2',
      ])
      expect((await guest.next('ack')).frame.refused).toEqual([[0, 'forbidden']])
      const nobody = await connectProbe(socket)
      await expect(nobody.join('nobody')).rejects.toThrow('unauthorized')
      expect((await post(url, { type: 'chat' })).status).toBe(401)
      const headers = { authorization: 'Bearer guest' }
      expect((await post(url, { type: 'admin' }, headers)).status).toBe(403)
      expect((await post(url, { type: 'chat' }, headers)).status).toBe(201)
    },
  },
  {
    onObjects: true,
    title: 'a room that is put out of memory keeps its devices, which do not notice',
    async run(start) {
      const { evict, socket } = await start()
      const [one, two] = [await joined(socket, 'one'), await joined(socket, 'two')]
      let { from } = two
      for (const batch of [1, 2, 3]) {
        one.send(publishOf(batch, batch === 1 ? undefined : batch - 1, [`a-${batch}`]), ['1'])
        await one.next('ack')
        const { frame } = await two.next('stream')
        expect(frame.prev).toBe(from)
        from = frame.position
        expect(await evict?.()).toBe(true)
        two.send({ frame: 'ping' })
        expect((await two.next('heartbeat')).frame.head).toBe(from)
        // The ping was answered without it.
        expect(await evict?.()).toBe(false)
      }
    },
  },
  {
    title:
      'a group leases each event to one member, again when its time is over, and on when one is gone',
    async run(start) {
      const { socket } = await start()
      const [one, two] = [await grouped(socket, 'one'), await grouped(socket, 'two')]
      await one.join('a', { ackWait: 1_000, credit: 2 })
      await two.join('b', { ackWait: 1_000, credit: 2 })
      await one.publish(['a-1', 'a-2', 'a-3', 'a-4', 'a-5'])
      const [mine, yours] = [await one.leases(2), await two.leases(2)]
      const first = new Set([...mine, ...yours].map(({ id }) => id))
      expect(first).toEqual(new Set(['a-1', 'a-2', 'a-3', 'a-4']))
      two.socket.drop()
      expect(await one.settle('a', mine.map(settled('ack')))).not.toHaveProperty('lapsed')
      // What the other one held lapses, or is given on when that one is found to be gone.
      const rest: string[] = []
      while (rest.length < 3) {
        const leased = await one.leases()
        rest.push(...leased.map(({ id }) => id))
        await one.settle('a', leased.map(settled('ack')))
      }
      expect(new Set(rest)).toEqual(new Set(['a-5', ...yours.map(({ id }) => id)]))
    },
  },
  {
    onObjects: true,
    title: 'a room that is put out of memory keeps who is in its groups, and what they hold',
    async run(start) {
      const { evict, socket } = await start()
      const [one, two] = [await grouped(socket, 'one'), await grouped(socket, 'two')]
      await one.join('a', { credit: 1 })
      await two.join('b', { credit: 1 })
      await one.publish(['a-1', 'a-2', 'a-3'])
      const [mine] = await one.leases()
      await two.leases()
      expect(await evict?.()).toBe(true)
      expect(await one.settle('a', [settled('ack')(mine as Leased)])).not.toHaveProperty('lapsed')
      expect((await one.leases()).map(({ id }) => id)).toEqual(['a-3'])
      expect([one.probe.closed, two.probe.closed]).toEqual([undefined, undefined])
    },
  },
  {
    onObjects: true,
    title:
      'a room that is put out of memory with its sockets has it all when its devices come back',
    async run(start) {
      const { evict, socket } = await start()
      const [one, two] = [await joined(socket, 'one'), await joined(socket, 'two')]
      one.send(publishOf(1, undefined, ['a-1']), ['1'])
      await one.next('ack')
      const { frame } = await two.next('stream')
      await evict?.('close')
      await Promise.all([one.end(), two.end()])
      const again = await joined(socket, 'one', { cursor: frame.position })
      again.send(publishOf(2, 1, ['a-2']), ['2'])
      await again.next('ack')
      const late = await joined(socket, 'two', { cursor: frame.position })
      expect(late.from).toBe(frame.position)
      expect((await late.next('stream')).data).toEqual(['2'])
    },
  },
  {
    onObjects: true,
    title:
      'a device that does not say what it took gets no more than fits, and the rest when it does',
    async run(start) {
      const { socket } = await start({ limits: { pauseBytes: 100_000 } })
      const writer = await joined(socket, 'writer')
      const reader = await connectProbe(socket)
      reader.gives = false
      const { from } = await reader.join('reader')
      const filler = JSON.stringify('x'.repeat(20_000))
      const total = 40
      for (let batch = 1; batch <= total; batch++) {
        writer.send(publishOf(batch, batch === 1 ? undefined : batch - 1, [`a-${batch}`]), [filler])
        await writer.next('ack')
      }
      reader.send({ frame: 'token', token: 'another' })
      const came = (name: string) => reader.unread.filter(({ frame }) => frame.frame === name)
      while (came('renewed').length === 0) await reader.more()
      expect(came('stream').length).toBeLessThan(total / 4)
      reader.give()
      const { ids } = await reader.stream(from, (all) => all.length === total)
      expect(ids).toEqual(Array.from({ length: total }, (_, i) => `a-${i + 1}`))
    },
  },
]

const outcomes = new Map<string, Map<string, string>>()

describe.each(RUNTIMES)('the relay on $name', (runtime) => {
  const here = new Map<string, string>()
  outcomes.set(runtime.name, here)
  const { start, hasProcesses } = runtime
  for (const { title, run, onObjects, onProcesses } of POINTS) {
    if ((onProcesses && !hasProcesses) || (onObjects && hasProcesses)) {
      here.set(title, '-')
      continue
    }
    it.skipIf(!start)(title, { timeout: 60_000 }, async () => {
      here.set(title, 'no')
      await run((flags = {}) => (start as NonNullable<typeof start>)(flags))
      here.set(title, 'yes')
    })
  }
})

describe('docs/runtimes.md', () => {
  const everywhere = RUNTIMES.every(({ start }) => start)

  it.skipIf(!everywhere)('has the table of what ran', async () => {
    const names = RUNTIMES.map(({ name }) => name)
    const rows = POINTS.map(
      ({ title }) =>
        `| ${title} | ${names.map((name) => outcomes.get(name)?.get(title)).join(' | ')} |`,
    )
    const table = [
      `| point | ${names.join(' | ')} |`,
      `|---|${'---|'.repeat(names.length)}`,
      ...rows,
    ]
    const file = fileURLToPath(new URL('../../../../docs/runtimes.md', import.meta.url))
    const text = await readFile(file, 'utf8')
    const [before = '', , after = ''] = text.split(
      /(?<=<!-- points -->\n)([\s\S]*?)(?=<!-- end -->)/,
    )
    await expect(`${before}\n${table.join('\n')}\n\n${after}`).toMatchFileSnapshot(file)
  })
})
