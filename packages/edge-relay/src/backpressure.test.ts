import { BUS_ERROR_CODES, encodeFrame, MAX_FRAME_BYTES, SUBPROTOCOL } from '@crosstown/bus/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { DEFAULT_LIMITS } from './limits.ts'
import type { RelayOptions } from './options.ts'
import { createRelay } from './relay.ts'
import { type RelayServer, serve } from './runtimes/node.ts'
import type { Socket } from './socket.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { connectProbe, Probe, ProbeSocket, publishOf } from './testing/probe.ts'

const servers: RelayServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

/** A relay over real sockets, with the relay's ends of them in the order in which they came. */
async function start(options: RelayOptions) {
  const relay = createRelay(options)
  const sockets: Socket[] = []
  const accept = relay.accept.bind(relay)
  relay.accept = (socket, admission) => {
    sockets.push(socket)
    return accept(socket, admission)
  }
  const server = await serve(relay, { port: 0 })
  servers.push(server)
  const url = `${server.url.replace('http', 'ws')}/rooms/r/socket`
  return { url, sockets, stats: `${server.url}/rooms/r/stats` }
}

/** A device that can stop reading: what it does not read stays with the system and the relay. */
async function connectPausable(url: string): Promise<Probe & { readonly ws: WebSocket }> {
  const ws = new WebSocket(url, SUBPROTOCOL)
  const probe = new Probe((message) => ws.send(message))
  ws.on('message', (data) => probe.receive(String(data)))
  ws.on('close', (code, reason) => probe.ended(code, String(reason)))
  await new Promise((resolve, reject) => ws.once('open', resolve).once('error', reject))
  return Object.assign(probe, { ws })
}

/** Its other end reads, but a turn of the event loop later. */
class LaggingSocket extends ProbeSocket {
  override send(text: string): void {
    this.bufferedAmount += text.length
    super.send(text)
    setImmediate(() => this.drain())
  }
}

const BATCHES = 80
/** Two events of a quarter of a MiB: the largest frame a device sends. */
const LARGE = JSON.stringify('x'.repeat(250_000))

/** Publishes large batches, each after the one before was acknowledged. */
async function publishLarge(probe: Probe, batches: number, after: () => void): Promise<string[]> {
  const ids: string[] = []
  for (let n = 1; n <= batches; n++) {
    const own = [`a-${2 * n - 1}`, `a-${2 * n}`]
    probe.send(publishOf(n, n === 1 ? undefined : n - 1, own), [LARGE, LARGE])
    await probe.next('ack')
    ids.push(...own)
    after()
  }
  return ids
}

describe('a reader that stops reading', () => {
  it('costs the relay no more than its limit, holds nobody up, and catches up when it comes again', async () => {
    const platform = new ManualPlatform()
    const { url, sockets } = await start({ platform })
    const writer = await connectProbe(url)
    await writer.join('writer', { types: [] })
    const reader = await connectProbe(url)
    const { from } = await reader.join('reader')
    const slow = await connectPausable(url)
    const { from: slowFrom } = await slow.join('slow')
    const held = sockets[2] as Socket
    slow.ws.pause()

    let most = 0
    const heard = reader.stream(from, (ids) => ids.includes(`a-${2 * BATCHES}`))
    const ids = await publishLarge(writer, BATCHES, () => {
      most = Math.max(most, held.bufferedAmount)
    })
    expect((await heard).ids).toEqual(ids)
    expect(most).toBeGreaterThan(DEFAULT_LIMITS.pauseBytes)
    expect(most).toBeLessThan(DEFAULT_LIMITS.pauseBytes + MAX_FRAME_BYTES)

    platform.advance(DEFAULT_LIMITS.slowReaderMs + 1_000)
    slow.ws.resume()
    expect(await slow.end()).toEqual({ code: BUS_ERROR_CODES.slow_reader, reason: 'slow_reader' })
    expect(slow.unread.length).toBeLessThan(BATCHES)
    const frames = slow.unread.filter(({ frame }) => frame.frame === 'stream').length
    let read = 0
    const before = await slow.stream(slowFrom, () => ++read === frames)
    const again = await connectPausable(url)
    const welcome = await again.join('slow', { cursor: before.position })
    expect(welcome).toMatchObject({ from: before.position, recovered: true })
    const after = await again.stream(welcome.from, (all) => all.includes(`a-${2 * BATCHES}`))
    expect([...before.ids, ...after.ids]).toEqual(ids)
    again.ws.close()
  })

  it('is not every reader where the limits are smaller than one frame', async () => {
    const relay = createRelay({ limits: { pauseBytes: 1_000, bufferBytes: 1_000 } })
    const join = async (device: string) => {
      const socket = new LaggingSocket()
      socket.open(relay.accept(socket, { room: 'r' }))
      return { probe: socket.probe, ...(await socket.probe.join(device)) }
    }
    const reader = await join('reader')
    const heard = reader.probe.stream(reader.from, (ids) => ids.includes('a-20'))
    const ids = await publishLarge((await join('writer')).probe, 10, () => {})
    expect((await heard).ids).toEqual(ids)
    await relay.close()
  })
})

describe('a device that sends and does not read', () => {
  it('is closed when what it does not read is over the limit, and nobody else', async () => {
    const { url, stats } = await start({ limits: { pauseBytes: 10_000, bufferBytes: 10_000 } })
    const other = await connectProbe(url)
    await other.join('other')
    const flood = await connectPausable(url)
    await flood.join('flood')
    flood.ws.pause()
    const pings = encodeFrame({ frame: 'ping' })
    for (;;) {
      for (let i = 0; i < 2_000; i++) flood.ws.send(pings)
      await new Promise((resolve) => setImmediate(resolve))
      const { connections } = (await (await fetch(stats)).json()) as { connections: number }
      if (connections === 1) break
    }
    other.send({ frame: 'ping' })
    await other.next('heartbeat')
    flood.ws.terminate()
  })
})
