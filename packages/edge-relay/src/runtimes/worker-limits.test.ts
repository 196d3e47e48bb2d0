/** The limits of a room on workerd, where frames come from the runtime and rooms go out of memory. */
import { BUS_ERROR_CODES } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import type { Limits } from '../limits.ts'
import { connectProbe, headerOf, publishOf } from '../testing/probe.ts'
import { refused, upgrade } from '../testing/raw-upgrade.ts'
import { endWorkers, startWorkerd } from '../testing/worker-process.ts'

afterEach(endWorkers)

async function setup(limits: Partial<Limits> = {}) {
  const worker = await startWorkerd({ limits })
  const join = async (device: string) => {
    const probe = await connectProbe(worker.socket)
    await probe.join(device)
    return probe
  }
  const post = (events: unknown) =>
    fetch(`${worker.url}/rooms/42/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(events),
    })
  return { ...worker, join, post }
}

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

describe('on workerd', () => {
  it('a frame that is too large ends its connection, and no other', async () => {
    const { join } = await setup()
    const [one, two] = [await join('one'), await join('two')]
    one.sendRaw(`{"frame":"cast","events":[]}\n"${'x'.repeat(1024 * 1024)}"`)
    expect(await one.end()).toEqual({ code: BUS_ERROR_CODES.too_large, reason: 'too_large' })
    two.send({ frame: 'ping' })
    await two.next('heartbeat')
  })

  it('a frame that is nested too deep ends its connection, and deep data is refused for good', async () => {
    const { join } = await setup({ nesting: 16 })
    const one = await join('one')
    one.send(publishOf(1, undefined, ['a-1', 'a-2']), [nested(17), nested(16)])
    expect((await one.next('ack')).frame.refused).toEqual([[0, 'invalid_data']])
    one.sendRaw(`{"frame":"ping","x":${nested(2_000)}}`)
    expect((await one.end()).reason).toBe('bad_frame')
  })

  it('a connection that sends too much is told to wait, and one that does not wait is closed', async () => {
    const { join } = await setup({ connectionRate: 1 })
    const one = await join('one')
    for (let batch = 1; batch <= 12; batch++)
      one.send(publishOf(batch, batch > 1 ? batch - 1 : undefined, [`a-${batch}`]), ['1'])
    const { frame } = await one.next('reject')
    expect(frame.code).toBe('rate_limited')
    expect(frame.retryAfterMs).toBeGreaterThan(0)
    for (let n = 0; n < 2_000; n++) one.send({ frame: 'token', token: 'x' })
    expect((await one.end()).reason).toBe('rate_limited')
  })

  it('a request is not cut off as the one before it was refused without a look at its body', async () => {
    const { post, url } = await setup()
    const refused = () =>
      fetch(`${url}/rooms/42/nothing`, { method: 'POST', body: JSON.stringify({ n: 1 }) })
    // It was one in sixty.
    for (let n = 0; n < 200; n++) {
      const response = await refused()
      await response.text()
      expect(response.status).toBe(404)
      const answer = await post({ type: 'chat' })
      await answer.text()
      expect(answer.status).toBe(201)
    }
  }, 60_000)

  it('a room in which too much is published rejects for now, on sockets and over HTTP', async () => {
    const { join, post } = await setup({ roomRate: 1 })
    expect((await post(Array.from({ length: 50 }, () => ({ type: 'a.b' })))).status).toBe(201)
    const answer = await post({ type: 'a.b' })
    expect(answer.status).toBe(429)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    const one = await join('one')
    one.send(publishOf(1, undefined, [headerOf('a-1')]), ['1'])
    expect((await one.next('reject')).frame.code).toBe('rate_limited')
  })

  it('a body that is too large is refused', async () => {
    const { post } = await setup({ bodyBytes: 100, postEvents: 2 })
    expect((await post({ type: 'a.b', data: 'x'.repeat(200) })).status).toBe(413)
    expect((await post([1, 2, 3].map(() => ({ type: 'a.b' })))).status).toBe(413)
  })

  it('a body that does not end is waited for so long, and not longer', async () => {
    const { url } = await setup({ bodyMs: 1_000 })
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{')),
    })
    const headers = { 'content-type': 'application/json' }
    const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit
    const answer = await fetch(`${url}/rooms/42/events`, init)
    expect(answer.status).toBe(408)
    expect(await answer.json()).toMatchObject({ error: { code: 'timeout' } })
  })

  it('so many connections of a room are let in, before and after it was out of memory', async () => {
    const { evict, join, socket } = await setup({ connections: 3 })
    const [one, two] = [await join('one'), await join('two')]
    expect(await evict()).toBe(true)
    for (const probe of [one, two]) {
      probe.send({ frame: 'ping' })
      await probe.next('heartbeat')
    }
    const three = await join('three')
    expect(await refused(socket, {})).toEqual({ status: 503, code: 'unavailable', retryAfter: '5' })
    three.close()
    await three.end()
    await join('four')
  })

  it('so many connections of an address are let in, by what Cloudflare says and nobody else', async () => {
    const { evict, socket } = await setup({ addressConnections: 2 })
    const from = (address: string, forwarded = address) => ({
      'cf-connecting-ip': address,
      'x-forwarded-for': forwarded,
    })
    const tooMany = { status: 429, code: 'rate_limited', retryAfter: '5' }
    const open = [
      await upgrade(socket, from('203.0.113.1')),
      await upgrade(socket, from('203.0.113.1')),
    ]
    expect(await refused(socket, from('203.0.113.1', '198.51.100.9'))).toEqual(tooMany)
    expect(await evict()).toBe(true)
    expect(await refused(socket, from('203.0.113.1'))).toEqual(tooMany)
    open.push(await upgrade(socket, from('203.0.113.2')))
    for (const { stream } of open) stream.destroy()
  })
})
