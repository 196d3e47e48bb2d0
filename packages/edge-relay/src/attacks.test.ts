/**
 * Attacks on relays that are processes, on every runtime that is one. `docs/threat-model.md` has the
 * table of all attacks; what does not depend on a runtime is tried beside what it attacks.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { BUS_ERROR_CODES, encodeFrame, type HelloFrame } from '@crosstown/bus/protocol'
import { exportSPKI, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EventStreamProbe } from './testing/event-stream-probe.ts'
import { connectProbe, headerOf, helloOf, publishOf } from './testing/probe.ts'
import { exchange, masked, refusal, refused, upgrade } from './testing/raw-upgrade.ts'
import { endAll, type RelayProcessHandle, RUNTIMES } from './testing/relay-process.ts'

const issuer = 'https://id.example'
const audience = 'relay.example'
/** Stands in everything hostile that has a place for it, and must come back from nowhere. */
const MARK = 'mark-4711-of-a-payload'
const RIGHTS = { publish: ['cart.**'], subscribe: ['cart.**', 'order.*'] }

/** A record of the log: what happened, and fields whose texts are plain or quoted. */
const RECORD =
  /^\d[\dT:.-]+Z (debug|info |warn |error) [a-z]+( \w+=([\w.:/@~*+-]+|"[^"\\]*(\\.[^"\\]*)*"))*$/

let folder = ''
let keys: Awaited<ReturnType<typeof generateKeyPair>>
let pem = ''
const tokens = new Set<string>()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-attacks-'))
  keys = await generateKeyPair('RS256')
  pem = await exportSPKI(keys.publicKey)
  const jwt = new URL('../dist/jwt.js', import.meta.url).href
  const options = JSON.stringify({ publicKey: pem, issuer, audience })
  await writeFile(
    join(folder, 'auth.mjs'),
    `import { jwtAuth } from ${JSON.stringify(jwt)}\nexport default jwtAuth(${options})\n`,
  )
})
afterAll(async () => {
  await endAll()
  await rm(folder, { recursive: true, force: true })
})

const seconds = () => Math.floor(Date.now() / 1_000)

function claims(more: Record<string, unknown> = {}): JWTPayload {
  const rooms = { 42: RIGHTS }
  const base = { sub: 'ann', iss: issuer, aud: audience, exp: seconds() + 600 }
  return { ...base, crosstown: { rooms }, ...more }
}

function known(token: string): string {
  tokens.add(token)
  return token
}

const signed = async (more: Record<string, unknown> = {}) =>
  known(await new SignJWT(claims(more)).setProtectedHeader({ alg: 'RS256' }).sign(keys.privateKey))

/** A relay, and all that it ever said to whoever asks here. */
async function attacked(
  start: (flags: object) => Promise<RelayProcessHandle>,
  ...limits: string[]
) {
  const log = ['--log', 'text', '--log-level', 'debug']
  const args = [...limits.flatMap((limit) => ['--limit', limit]), '--trust-proxy', '1', ...log]
  const relay = await start({ auth: join(folder, 'auth.mjs'), args })
  const said: string[] = []
  const hear = <T extends string>(text: T): T => {
    said.push(text)
    return text
  }
  const ask = async (path: string, init: RequestInit & { token?: string } = {}) => {
    const { token, headers, ...rest } = init
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const response = await fetch(`${relay.url}${path}`, {
      ...rest,
      headers: { 'content-type': 'application/json', ...authorization, ...headers },
    })
    const text = hear(await response.text())
    hear(JSON.stringify([...response.headers]))
    const { error } = (text.startsWith('{') ? JSON.parse(text) : {}) as { error?: { code: string } }
    return { status: response.status, code: error?.code, headers: response.headers, text }
  }
  const post = (body: unknown, token?: string, headers: Record<string, string> = {}) =>
    ask('/rooms/42/events', {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers,
      ...(token !== undefined && { token }),
    })
  const connect = async (url = relay.socket) => {
    const probe = await connectProbe(url)
    const receive = probe.receive.bind(probe)
    probe.receive = (text) => receive(hear(String(text)))
    const ended = probe.ended.bind(probe)
    probe.ended = (code, reason) => ended(code, hear(reason))
    return probe
  }
  /** The code a device is refused with. */
  const refused = async (hello: HelloFrame | string) => {
    const probe = await connect()
    probe.sendRaw(typeof hello === 'string' ? hello : encodeFrame(hello))
    const { reason } = await probe.end()
    return reason
  }
  return { ...relay, ask, connect, hear, post, refused, said }
}

type Attacked = Awaited<ReturnType<typeof attacked>>

const processes = RUNTIMES.filter(({ hasProcesses }) => hasProcesses)

describe.each(processes)('a relay on $name', ({ name, start }) => {
  const tried = it.skipIf(!start)
  let relay: Attacked
  beforeAll(async () => {
    if (start) relay = await attacked(start)
  })

  tried(
    'takes no token that is missing, expired, for others, unsigned or of a swapped algorithm',
    async () => {
      const pemAsSecret = new SignJWT(claims()).setProtectedHeader({ alg: 'HS256' })
      const { privateKey } = await generateKeyPair('RS256')
      const good = await signed()
      const [head, , signature] = good.split('.')
      const other = Buffer.from(JSON.stringify(claims({ sub: 'bob' }))).toString('base64url')
      const bad = [
        undefined,
        '',
        await signed({ exp: seconds() - 60 }),
        await signed({ aud: 'other.example' }),
        await signed({ iss: 'https://evil.example' }),
        known(new UnsecuredJWT(claims()).encode()),
        known(await pemAsSecret.sign(new TextEncoder().encode(pem))),
        known(await new SignJWT(claims()).setProtectedHeader({ alg: 'RS256' }).sign(privateKey)),
        known(`${head}.${other}.${signature}`),
      ]
      for (const token of bad) {
        const given = token === undefined ? {} : { token }
        expect(await relay.refused(helloOf('d', given))).toBe('unauthorized')
        const answer = await relay.post({ type: 'cart.x', data: MARK }, token)
        expect([answer.status, answer.code]).toEqual([401, 'unauthorized'])
      }
      expect((await relay.post({ type: 'cart.x' }, good)).status).toBe(201)
    },
  )

  tried(
    'serves no room under another name: dots, slashes, escapes, unicode and stars',
    async () => {
      const token = await signed()
      const paths = [
        '/rooms/../rooms/secret/events',
        '/rooms/42/../secret/events',
        '/rooms/42/%2e%2e/secret/events',
        '/rooms/42%2f..%2fsecret/events',
        '/rooms/42%2Fevents',
        '/rooms/%2e%2e/events',
        '/rooms/../events',
        '/rooms/./events',
        '/rooms/*/events',
        '/rooms/%2a/events',
        '/rooms/4%00/events',
        '/rooms/42%20/events',
        '/rooms/42;x=1/events',
        '/rooms/42%3Fx/events',
        '/rooms/%EF%BC%94%EF%BC%92/events',
        '/rooms/42%E2%80%8B/events',
        '/rooms/%2534%2532/events',
        '/rooms/secret/events',
        '/rooms/%73ecret/events',
        '//rooms/42/events',
        '/rooms//42/events',
        '/ROOMS/42/events',
        '/rooms/42/events/..',
        `/rooms/${'4'.repeat(129)}/events`,
      ]
      const ask = (path: string) =>
        exchange(
          relay.url,
          `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n\r\n`,
        )
      for (const path of paths) {
        const answer = relay.hear(await ask(path))
        expect([path, answer.slice(9, 12)]).toEqual([
          path,
          expect.stringMatching(/^(400|403|404)$/),
        ])
      }
      // Another writing of the same name is that room.
      expect(await ask('/rooms/%34%32/events')).toMatch(/^HTTP\/1.1 200/)
      const socket = relay.socket.replace('/42/', '/secret/')
      const probe = await relay.connect(socket)
      probe.send(helloOf('d', { token }))
      expect((await probe.end()).reason).toBe('forbidden')
    },
  )

  tried('lets no type past its patterns, in events, subscriptions or queries', async () => {
    const token = await signed()
    const types = [
      'cart',
      'order.x',
      'Cart.x',
      '$cart.x',
      'cart..x',
      'cart.',
      '.cart.x',
      'cart.**',
      'cart.*',
      '**',
      'cart.x\u0000',
      'cart.x\n',
      'c\u0430rt.x',
      'cart%2ex',
      'cart/x',
      `cart.${'x.'.repeat(20)}x`,
      '__proto__',
    ]
    for (const type of types) {
      const { status, code } = await relay.post({ type, data: MARK }, token)
      expect([type, status, code]).toEqual([
        type,
        expect.toBeOneOf([400, 403]),
        expect.toBeOneOf(['invalid_type', 'forbidden']),
      ])
    }
    const probe = await relay.connect()
    const { rights } = await probe.join('wide', { token, types: ['**'] })
    expect(rights).toEqual(RIGHTS)
    probe.send(publishOf(1, undefined, [headerOf('w-1', 'order.x'), headerOf('w-2', 'cart.x')]), [
      JSON.stringify(MARK),
      '2',
    ])
    expect((await probe.next('ack')).frame.refused).toEqual([[0, 'forbidden']])
    for (const query of ['type=**', 'type=*', 'type=secret.**&type=cart.*']) {
      const { text } = await relay.ask(`/rooms/42/events?${query}&limit=1000`, { token })
      const { events } = JSON.parse(text) as { events: { type: string }[] }
      expect(events.every(({ type }) => type.startsWith('cart.'))).toBe(true)
    }
    for (const query of ['type=cart.**.x', 'type=../cart', 'type[]=x', 'type=%00'])
      expect((await relay.ask(`/rooms/42/events?${query}`, { token })).status).toBe(400)
    probe.close()
  })

  tried(
    'lets nobody use rights that a fresh token took away, or a token that has ended',
    async () => {
      const probe = await relay.connect()
      const { from } = await probe.join('less', { token: await signed() })
      const less = await signed({ crosstown: { rooms: { 42: { subscribe: ['order.*'] } } } })
      probe.send({ frame: 'token', token: less })
      expect((await probe.end()).reason).toBe('rights_changed')
      const again = await relay.connect()
      await again.join('less', { token: less, cursor: from, terms: [[2, 'two']] })
      again.send(publishOf(1, undefined, [headerOf('less-1', 'cart.x')], { term: [2, 'two'] }), [
        JSON.stringify(MARK),
      ])
      expect((await again.next('ack')).frame.refused).toEqual([[0, 'forbidden']])
      expect((await relay.post({ type: 'cart.x' }, less)).status).toBe(403)
      again.close()
      const short = await relay.connect()
      const { expiresInMs } = await short.join('short', {
        token: await signed({ exp: seconds() + 2 }),
      })
      expect(expiresInMs).toBeLessThanOrEqual(2_000)
      expect((await short.end()).reason).toBe('token_expired')
    },
  )

  tried('gives no history to who has no right to it, whatever positions it makes up', async () => {
    await relay.post({ type: 'cart.before', data: 'before' }, await signed())
    const rooms = { 42: { ...RIGHTS, history: false } }
    const token = await signed({ sub: 'new', crosstown: { rooms } })
    const probe = await relay.connect()
    const { epoch, from, head } = await probe.join('fresh', { token, from: 'start' })
    expect(from).toBe(head)
    const made = [`${epoch}.0.0`, `${epoch}.1.0`, head.split('.').slice(0, 3).join('.')]
    for (const [n, position] of made.entries()) {
      const other = await relay.connect()
      const hello = { token, log: `log-${n}`, cursor: position, older: [position] }
      const welcome = await other.join(`made-${n}`, hello)
      expect(welcome.from).toBe(welcome.head)
      other.close()
    }
    const stream = { headers: { accept: 'text/event-stream' } }
    for (const query of ['', '?since=0', ...made.map((position) => `?after=${position}`)]) {
      for (const init of [{}, stream]) {
        const answer = await relay.ask(`/rooms/42/events${query}`, { token, ...init })
        expect([query, answer.status, answer.code]).toEqual([query, 403, 'forbidden'])
      }
    }
    const last = { headers: { ...stream.headers, 'last-event-id': made[0] as string } }
    expect((await relay.ask('/rooms/42/events', { token, ...last })).status).toBe(403)
    probe.close()
  })

  tried('lets nobody speak for a device whose secret it does not know', async () => {
    const token = await signed()
    const probe = await relay.connect()
    await probe.join('mine', { token })
    const { device } = helloOf('mine')
    for (const secret of ['', 'x', `${device.secret}x`, device.secret.slice(0, -1), 'x'.repeat(64)])
      expect(
        await relay.refused(helloOf('mine', { token, device: { id: 'mine', secret } })),
      ).toMatch(/^(bad_device|bad_frame)$/)
    const bob = await signed({ sub: 'bob' })
    expect(await relay.refused(helloOf('mine', { token: bob }))).toBe('subject_changed')
    expect(await relay.refused(helloOf('new', { token: bob, log: 'log-of-mine' }))).toBe(
      'subject_changed',
    )
    // Over HTTP nobody is a device, and an id is the publisher's own.
    probe.send(publishOf(1, undefined, [headerOf('mine-1', 'cart.x')]), ['1'])
    await probe.next('ack')
    for (const field of ['device', 'batch', 'position', 'revision', 'scope', 'group'])
      expect((await relay.post({ type: 'cart.x', [field]: 1 }, token)).status).toBe(400)
    const { status, text } = await relay.post({ type: 'cart.x', id: 'mine-1' }, token)
    const [event] = (JSON.parse(text) as { events: { id: string }[] }).events
    expect([status, event?.id]).toEqual([201, expect.stringMatching(/^h-/)])
    probe.send({ frame: 'ping' })
    await probe.next('heartbeat')
    probe.close()
  })

  tried('reads nothing that is too large, too deep or nonsense, and says so', async () => {
    const token = await signed()
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    const large = await relay.post(`{"type":"cart.x","data":"${'x'.repeat(1_100_000)}"}`, token)
    expect([large.status, large.code]).toEqual([413, 'too_large'])
    for (const depth of [600, 100_000]) {
      const { status } = await relay.post(`{"type":"cart.x","data":${nested(depth)}}`, token)
      expect(status).toBe(400)
      const cloud = { 'content-type': 'application/cloudevents+json' }
      expect((await relay.post(nested(depth), token, cloud)).status).toBe(400)
    }
    for (const body of ['', '{', '[]', 'null', '1', `"${MARK}"`, `{"type":"cart.x",${MARK}`])
      expect((await relay.post(body, token)).status).toBe(400)
    const probe = await relay.connect()
    await probe.join('deep', { token })
    const headers = ['d-1', 'd-2'].map((id) => headerOf(id, 'cart.x'))
    probe.send(publishOf(1, undefined, headers), [nested(513), nested(512)])
    expect((await probe.next('ack')).frame.refused).toEqual([[0, 'invalid_data']])
    probe.sendRaw(`{"frame":"ping","x":${nested(513)}}`)
    expect(await probe.end()).toEqual({ code: BUS_ERROR_CODES.bad_frame, reason: 'bad_frame' })
    for (const frame of [
      `{"frame":"${MARK}"}`,
      `${MARK}`,
      '\u0000',
      '[]',
      '{"frame":"ack","batch":1}',
    ])
      expect(await relay.refused(frame)).toBe('bad_frame')
    const header = relay.hear(
      await exchange(
        relay.url,
        `GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: ${'x'.repeat(1_000_000)}\r\n\r\n`,
      ),
    )
    expect(header).not.toContain(' 200 ')
  })

  tried('unpacks nothing: neither messages nor bodies', async () => {
    const token = await signed()
    const { answered, stream } = await upgrade(relay.socket, {
      'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits',
    })
    expect(answered['sec-websocket-extensions']).toBe(undefined)
    // A message that says it is compressed, as nobody agreed on.
    const compressed = masked('x')
    compressed[0] = 0xc1
    stream.write(compressed)
    stream.resume()
    await new Promise((resolve) => stream.once('close', resolve))
    const bomb = gzipSync(Buffer.alloc(50_000_000, 'x'))
    const response = await fetch(`${relay.url}/rooms/42/events`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        authorization: `Bearer ${token}`,
      },
      body: bomb,
    })
    expect(response.status).toBe(400)
  })

  tried(
    'writes no line that somebody else made up, into answers, event streams or logs',
    async () => {
      const token = await signed()
      const broken = 'a\r\nX-Forged: 1\r\n\r\ndata: forged'
      for (const field of ['id', 'source', 'stream', 'correlationId', 'causationId', 'type'])
        expect((await relay.post({ type: 'cart.x', [field]: broken }, token)).status).toBe(400)
      expect(
        (await relay.post({ type: 'cart.x', metadata: { note: broken } }, token)).headers.get(
          'x-forged',
        ),
      ).toBe(null)
      const encoded = 'a%0d%0aX-Forged:%201'
      for (const name of ['ce-correlationid', 'ce-source', 'ce-subject', 'ce-type', 'ce-id']) {
        const headers = {
          'ce-specversion': '1.0',
          'ce-id': '1',
          'ce-source': 's',
          'ce-type': 'cart.x',
        }
        const answer = await relay.post('1', token, { ...headers, [name]: encoded })
        expect([name, answer.status, answer.headers.get('x-forged')]).toEqual([name, 400, null])
      }
      for (const path of [
        `/rooms/42/events?type=${encoded}`,
        `/${encoded}`,
        `/rooms/${encoded}/events`,
      ])
        expect((await relay.ask(path, { token })).headers.get('x-forged')).toBe(null)
      const answered = await relay.post({ type: 'cart.x' }, token, {
        'x-correlation-id': 'f\u00fcr-mich',
        traceparent: '00-zz\u00e9-1',
      })
      expect(answered.headers.get('traceparent')).toBe(null)
      // What a device sends is carried unopened: a line end in it must not end the block.
      const probe = await relay.connect()
      await probe.join('lines', { token })
      const stream = await EventStreamProbe.open(`${relay.url}/rooms/42/events?after=now`, {
        authorization: `Bearer ${token}`,
      })
      const forged = '"a\rid: forged\rdata: {}\r\rdata: {}"'
      probe.send(publishOf(1, undefined, [headerOf('l-1', 'cart.x'), headerOf('l-2', 'cart.x')]), [
        forged,
        '"end"',
      ])
      await probe.next('ack')
      const events = (await stream.data(2)) as unknown[]
      expect(events.at(-1)).toBe('end')
      expect(stream.lastEventId).not.toContain('forged')
      stream.close()
      probe.close()
    },
  )

  tried('takes __proto__ and constructor for names, in payloads, queries and claims', async () => {
    const data = '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}'
    const token = await signed()
    const { status, text } = await relay.post(`{"type":"cart.proto","data":${data}}`, token)
    expect(status).toBe(201)
    const [{ id } = { id: '' }] = (JSON.parse(text) as { events: { id: string }[] }).events
    const read = await relay.ask(`/rooms/42/events/${id}`, { token })
    expect(read.text).toContain(data)
    for (const body of ['{"__proto__":{"type":"cart.x"}}', '{"constructor":1,"type":"cart.x"}'])
      expect((await relay.post(body, token)).status).toBe(400)
    for (const query of ['__proto__=1', 'constructor=1', 'hasOwnProperty=1', '__proto__[type]=**'])
      expect((await relay.ask(`/rooms/42/events?${query}`, { token })).status).toBe(400)
    for (const id of ['__proto__', 'constructor', 'toString'])
      expect((await relay.ask(`/rooms/42/events/${id}`, { token })).status).toBe(404)
    const claimed = [
      JSON.parse('{"__proto__":{"rooms":{"*":{"subscribe":["**"]}}}}'),
      { rooms: JSON.parse('{"__proto__":{"42":{"subscribe":["**"]}}}') },
      { rooms: { constructor: RIGHTS } },
    ]
    for (const crosstown of claimed) {
      const forged = await signed({ crosstown })
      expect((await relay.ask('/rooms/42/events', { token: forged })).status).toBe(403)
    }
    // Nobody became more than they were.
    expect(await relay.refused(helloOf('d', { token: '{}' }))).toBe('unauthorized')
  })

  tried(
    'says nothing of tokens, secrets and payloads, in answers, closes or its own log',
    async () => {
      expect(tokens.size).toBeGreaterThan(10)
      expect(relay.said.length).toBeGreaterThan(100)
      const written = [...relay.said, relay.output()].join('\n')
      for (const token of tokens) expect(written).not.toContain(token)
      for (const secret of [MARK, 'secret-of-', 'leak']) expect(written).not.toContain(secret)
      // A line for each thing that happened, in the relay's own words, and none that a stranger made.
      const lines = relay.output().split('\n')
      const made = lines.filter(
        (line) => !/^$|^listening on |^inspector |^no inspector|^Deno/.test(line),
      )
      expect(made.length).toBeGreaterThan(30)
      for (const line of made) expect(line).toMatch(RECORD)
    },
  )

  describe('with little room', () => {
    let narrow: Attacked
    beforeAll(async () => {
      if (!start) return
      narrow = await attacked(
        start,
        'helloMs=1000',
        'bodyMs=1000',
        'connectionRate=50',
        'addressRequests=5',
        'addressConnections=3',
        'connections=12',
      )
    })

    const from = (address: string) => ({ 'x-forwarded-for': address })

    tried('refuses connections of one address, and in all, before the upgrade', async () => {
      const open = []
      for (let n = 0; n < 3; n++) open.push(await upgrade(narrow.socket, from('203.0.113.1')))
      expect(await refused(narrow.socket, from('203.0.113.1'))).toEqual({
        status: 429,
        code: 'rate_limited',
        retryAfter: '5',
      })
      // What is written before the proxy's own word counts for nothing.
      expect(await refusal(narrow.socket, from('192.0.2.1, 203.0.113.1'))).toEqual([
        429,
        'rate_limited',
      ])
      for (let n = 0; n < 9; n++) open.push(await upgrade(narrow.socket, from(`198.51.100.${n}`)))
      expect(await refusal(narrow.socket, from('203.0.113.2'))).toEqual([503, 'unavailable'])
      for (const { stream } of open) stream.destroy()
      // There is room again when they are gone.
      for (;;) {
        const there = await upgrade(narrow.socket, from('203.0.113.1')).catch(() => undefined)
        there?.stream.destroy()
        if (there) break
      }
    })

    tried('answers one address so often, and the others all the same', async () => {
      const ask = (address: string) => narrow.ask('/rooms/42/stats', { headers: from(address) })
      const answers = []
      do answers.push(await ask('203.0.113.9'))
      while (answers.at(-1)?.status === 401)
      expect(answers.length).toBeGreaterThan(50)
      const [last] = answers.slice(-1)
      expect([last?.status, last?.code]).toEqual([429, 'rate_limited'])
      expect(last?.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
      expect((await ask('203.0.113.10')).status).toBe(401)
    })

    tried('ends a connection that floods it, and the others go on', async () => {
      const token = await signed()
      const quiet = await narrow.connect()
      await quiet.join('quiet', { token })
      const flood = await narrow.connect()
      await flood.join('flood', { token })
      for (let n = 0; n < 5_000; n++) flood.sendRaw('{"frame":"ping"}')
      const { reason } = await flood.end()
      // Deno drops what it has not read with the connection, and what it said last with it.
      if (name !== 'Deno') expect(reason).toBe('rate_limited')
      quiet.send({ frame: 'ping' })
      await quiet.next('heartbeat')
      quiet.close()
      await quiet.end()
    })

    tried('waits for no hello, no body and no head that comes as slowly as can be', async () => {
      const token = await signed()
      const probe = await narrow.connect()
      expect((await probe.end()).reason).toBe('timeout')
      const head = `POST /rooms/42/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`
      const slow = (text: string, drip?: string) =>
        // Deno ends neither a head that does not end, nor what follows an answer: a proxy has to.
        name === 'Deno' ? undefined : exchange(narrow.url, text, drip)
      const answers = await Promise.all([
        slow(`${head}Content-Length: 100000\r\n\r\n{`, 'x'),
        slow(`${head}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`, '1\r\nx\r\n'),
        slow(head, 'X: y\r\n'),
        slow(head),
        slow('G'),
      ])
      for (const answer of answers.filter((text) => text !== undefined))
        expect(answer).toMatch(/^(HTTP\/1.1 4\d\d |$)/)
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(new TextEncoder().encode('{')),
      })
      const init = { method: 'POST', body, duplex: 'half', token } as RequestInit
      const { status, code } = await narrow.ask('/rooms/42/events', init)
      expect([status, code]).toEqual([408, 'timeout'])
    })
  })
})
