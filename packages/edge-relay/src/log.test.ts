import { describe, expect, it, vi } from 'vitest'
import type { Auth } from './auth.ts'
import { boundedLog, type LogRecord, logLine } from './log.ts'
import { Meter } from './metrics.ts'
import type { RelayOptions } from './options.ts'
import { createRelay } from './relay.ts'
import { memoryStore } from './stores/memory.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { helloOf, ProbeSocket, publishOf } from './testing/probe.ts'

const TOKEN = 'token-nobody-must-see'
const auth: Auth = (token) =>
  token === TOKEN ? { subject: 'ann', rights: { publish: ['**'], subscribe: ['**'] } } : undefined

function setup(options: RelayOptions = {}) {
  const records: LogRecord[] = []
  const platform = new ManualPlatform()
  const relay = createRelay({ platform, log: (record) => void records.push(record), ...options })
  const connect = () => {
    const socket = new ProbeSocket()
    return socket.open(relay.accept(socket, { room: 'r', origin: 'https://shop.example' }))
  }
  const of = (event: string) => records.filter((record) => record.event === event)
  return { relay, platform, records, connect, of }
}

describe('the log of a relay', () => {
  it('tells who came, who was welcomed and who left, and how', async () => {
    const { connect, of, relay } = setup({ auth })
    const [one, two] = [connect(), connect()]
    await one.probe.join('one', { token: TOKEN })
    one.drop()
    two.probe.send(helloOf('two', { token: 'another' }))
    await two.probe.end()
    expect(of('start')).toMatchObject([{ level: 'info', engine: 'memory', auth: true }])
    expect(of('open')).toMatchObject([
      { connection: 1, kind: 'device', room: 'r', origin: 'https://shop.example' },
      { connection: 2 },
    ])
    expect(of('join')).toMatchObject([{ connection: 1, subject: 'ann', outcome: 'new' }])
    expect(of('close')).toMatchObject([
      { connection: 1, by: 'peer', device: of('join')[0]?.device },
      { connection: 2, by: 'relay', code: 'unauthorized' },
    ])
    await relay.close()
    expect(of('drain')).toMatchObject([{ connections: 0 }])
    expect(of('end')).toHaveLength(1)
  })

  it('tells each end of a connection once', async () => {
    const { connect, of } = setup()
    const socket = connect()
    socket.probe.sendRaw('nonsense')
    socket.drop()
    await socket.probe.end()
    expect(of('close')).toMatchObject([{ by: 'relay', code: 'bad_frame' }])
  })

  it('tells what was refused by its route, and what was too much as a limit', async () => {
    const { of, relay } = setup({ auth, limits: { bodyBytes: 10 } })
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
    await relay.request('/rooms/r/events?token=secret')
    await relay.request('/rooms/r/events', { method: 'POST', headers, body: '{"type":"a.b"}' })
    expect(of('refusal')).toMatchObject([
      {
        level: 'info',
        method: 'GET',
        route: '/rooms/:room/events',
        status: 401,
        code: 'unauthorized',
      },
    ])
    expect(of('limit')).toMatchObject([{ level: 'warn', status: 413, code: 'too_large' }])
  })

  it('tells what failed, with what is behind it, and prints nothing beside', async () => {
    const store = memoryStore()
    const { of, relay } = setup({ store })
    store.append = () =>
      Promise.reject(new Error('cannot append', { cause: new Error('disk full') }))
    const headers = { 'content-type': 'application/json' }
    await relay.request('/rooms/r/events', { method: 'POST', headers, body: '{"type":"a.b"}' })
    expect(of('trouble')).toMatchObject([
      { level: 'error', room: 'r', message: 'cannot append: disk full' },
    ])
  })

  it('has no token, no secret and no data of events', async () => {
    const { connect, records, relay } = setup({ auth })
    const socket = connect()
    await socket.probe.join('device-id', { token: TOKEN })
    socket.probe.send(publishOf(1, undefined, ['a-1']), ['"payload"'])
    await socket.probe.next('ack')
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ type: 'a.b', data: 'payload', nonsense: 'payload' })
    await relay.request('/rooms/r/events', { method: 'POST', headers, body })
    await relay.close()
    const text = JSON.stringify(records)
    expect(text).not.toMatch(/token-nobody|secret-of|payload/)
    // The id is what its secret protects: others know the device by another name.
    expect(text).not.toContain('device-id')
  })

  it('has no token that the auth function says in what it throws, wherever it says it', async () => {
    const { of, relay } = setup({
      auth: (token) => {
        const cause = new Error(`lookup of ${token} failed`)
        throw new Error(`cannot check ${token} now`, { cause })
      },
    })
    const headers = { authorization: `Bearer ${TOKEN}` }
    expect((await relay.request('/rooms/r/events', { headers })).status).toBe(401)
    expect(of('trouble')).toMatchObject([
      { message: 'cannot check [token] now: lookup of [token] failed' },
    ])
  })

  it('tells of a room that takes no more for now', async () => {
    const { connect, of } = setup({ limits: { roomRate: 1 } })
    const socket = connect()
    await socket.probe.join('d')
    for (let batch = 1; batch <= 30; batch++)
      socket.probe.send(publishOf(batch, batch > 1 ? batch - 1 : undefined, [`a-${batch}`]), ['1'])
    expect((await socket.probe.next('reject')).frame).toMatchObject({ code: 'rate_limited' })
    expect(of('limit')[0]).toMatchObject({ room: 'r', code: 'rate_limited' })
  })

  it('tells of a connection that sends too much, though it is only told to wait', async () => {
    const { connect, of } = setup({ limits: { connectionRate: 1 } })
    const socket = connect()
    await socket.probe.join('d')
    for (let batch = 1; batch <= 30; batch++)
      socket.probe.send(publishOf(batch, batch > 1 ? batch - 1 : undefined, [`a-${batch}`]), ['1'])
    await socket.probe.next('reject')
    const { connection, device, room } = of('join')[0] as LogRecord
    expect(of('limit')[0]).toMatchObject({ connection, device, room, code: 'rate_limited' })
    expect(of('close')).toEqual([])
  })

  it('tells of a request, and of a socket, for which there is no room', async () => {
    const { connect, of, relay } = setup({ limits: { connections: 1 } })
    const [one, two] = [connect(), connect()]
    expect((await two.probe.end()).reason).toBe('unavailable')
    expect(of('limit')).toMatchObject([{ kind: 'device', room: 'r', code: 'unavailable' }])
    expect((await relay.request('/rooms/r/events')).status).toBe(503)
    expect(of('limit')[1]).toMatchObject({ route: '/rooms/:room/events', code: 'unavailable' })
    const metrics = await (await relay.request('/metrics')).text()
    expect(metrics).toMatch(/crosstown_server_disconnects_total\{code="unavailable"\} 1\b/)
    one.drop()
  })

  it('goes on where what takes it throws', async () => {
    const printed = vi.spyOn(console, 'error').mockReturnValue(undefined)
    const { relay } = setup({
      log: () => {
        throw new Error('no disk')
      },
    })
    expect((await relay.request('/health')).status).toBe(200)
    expect(printed).toHaveBeenCalledOnce()
    printed.mockRestore()
  })

  it('is bounded in a flood, and says how much it left out', () => {
    const records: LogRecord[] = []
    const platform = new ManualPlatform()
    const meter = new Meter()
    const log = boundedLog((record) => void records.push(record), platform, meter)
    for (let i = 0; i < 1_000; i++) log('refusal', { message: 'x'.repeat(10_000) })
    log('trouble')
    expect(records).toHaveLength(101)
    expect(records[0]?.message).toHaveLength(500)
    platform.advance(1_000)
    log('refusal')
    expect(records.at(-1)).toMatchObject({ event: 'refusal', suppressed: 900 })
    expect(meter.counts('log_suppressed_total')).toEqual([[900]])
  })
})

describe('a line of the log', () => {
  const record: LogRecord = {
    time: '2026-11-21T00:00:00.000Z',
    level: 'warn',
    event: 'refusal',
    room: 'a\r\nlevel=error event=forged',
    subject: '\u001b[2J\u009b2J\u2028\u202e\u0000"quoted"',
  }

  it.each(['json', 'text'] as const)('in %s is one, whatever is in it', (format) => {
    const line = logLine(record, format)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be in it.
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/)
  })

  it('in JSON is the record', () => {
    expect(JSON.parse(logLine(record, 'json'))).toEqual(record)
  })

  it('in text keeps values apart from what they say', () => {
    expect(logLine({ ...record, subject: 'ann' }, 'text')).toBe(
      '2026-11-21T00:00:00.000Z warn  refusal room="a\\r\\nlevel=error event=forged" subject=ann',
    )
  })
})
