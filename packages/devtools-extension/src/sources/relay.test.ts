import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Bus, createBus, memoryLog, relayLink } from '@crosstown/bus'
import { INSPECT_VERSION, type TapFrame } from '@crosstown/bus/inspect'
import { createRelay, type RelayOptions } from '@crosstown/edge-relay'
import { type RelayServer, serve } from '@crosstown/edge-relay/node'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { type RelaySourceOptions, relaySource } from './relay.ts'
import type { InspectSource, SourceState } from './source.ts'

const closing: { close(): unknown }[] = []
afterEach(async () => {
  for (const open of closing.splice(0).reverse()) await open.close()
})

async function relayServer(options: RelayOptions = {}, port = 0): Promise<RelayServer> {
  const server = await serve(createRelay(options), { port })
  closing.push(server)
  return server
}

/** What a source said, each as soon as it is there. Its waits are short. */
class Heard {
  readonly source: InspectSource
  readonly frames: TapFrame[] = []
  readonly states: (readonly [SourceState, string | undefined])[] = []
  readonly gone: (readonly string[] | 'all')[] = []
  #wake: (() => void)[] = []

  constructor(options: RelaySourceOptions) {
    this.source = relaySource({
      later(run, ms) {
        const timer = setTimeout(run, ms / 100)
        return () => clearTimeout(timer)
      },
      ...options,
    })
    closing.push(this.source)
    const changed = (): void => {
      for (const wake of this.#wake.splice(0)) wake()
    }
    this.source.start({
      frame: (text) => {
        this.frames.push(JSON.parse(text) as TapFrame)
        changed()
      },
      state: (state, detail) => {
        this.states.push([state, detail])
        changed()
      },
      gone: (peers) => {
        this.gone.push(peers)
        changed()
      },
    })
  }

  say(frame: object): void {
    this.source.send(JSON.stringify({ inspect: INSPECT_VERSION, session: 'panel', ...frame }))
  }

  attach(resume?: Record<string, number>): void {
    this.say({ frame: 'attach', credit: 100, ...(resume && { resume }) })
  }

  async until<T>(find: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = find()
      if (found !== undefined && found !== false) return found
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  state(state: SourceState, after = 0): Promise<string | undefined> {
    const index = () => this.states.findIndex(([name], i) => i >= after && name === state)
    return this.until(() => index() >= 0).then(() => this.states[index()]?.[1])
  }

  frame<N extends TapFrame['frame']>(
    name: N,
    is: (frame: Extract<TapFrame, { frame: N }>) => boolean = () => true,
  ): Promise<Extract<TapFrame, { frame: N }>> {
    type Named = Extract<TapFrame, { frame: N }>
    return this.until(
      () => this.frames.find((frame) => frame.frame === name && is(frame as Named)) as Named,
    )
  }
}

function service(url: string, name = 'orders'): Bus<Record<string, unknown>> {
  const bus = createBus({
    name,
    source: name,
    log: memoryLog(),
    relay: relayLink({ url, room: 'shop' }),
  })
  closing.push(bus)
  bus.subscribe('order.*', () => {})
  return bus
}

describe('a room of a relay, as a source', () => {
  it('opens, brings what its taps say, and takes what is said to them', async () => {
    const { url, port } = await relayServer()
    const orders = service(url)
    const heard = new Heard({ url, room: 'shop' })
    expect(heard.source.label).toBe(`relay 127.0.0.1:${port}/shop`)
    await heard.state('open')
    expect(heard.states.map(([state]) => state)).toEqual(['connecting', 'open'])
    heard.attach()
    const { peer } = await heard.frame('hello', ({ source }) => source === 'orders')
    const { id } = await orders.publish('order.created', { id: 1 }, { until: 'relayed' })
    await heard.frame('batch', (batch) => batch.peer === peer)
    heard.say({ frame: 'ask', to: peer, id: 5, ask: { what: 'payload', event: id } })
    expect(await heard.frame('answer')).toMatchObject({ id: 5, session: 'panel' })
    await orders.close()
    await heard.until(() => heard.gone.some((gone) => gone.includes(peer)))
  })

  it('comes back after the relay was restarted, and goes on where it was', async () => {
    const first = await serve(createRelay(), { port: 0 })
    const orders = service(first.url)
    const heard = new Heard({ url: first.url, room: 'shop' })
    await heard.state('open')
    heard.attach()
    const { peer } = await heard.frame('hello', ({ source }) => source === 'orders')
    const { peer: relay } = await heard.frame('hello', ({ kind }) => kind === 'relay')
    await orders.publish('order.created', 1, { until: 'relayed' })
    const has = (text: string) => () =>
      heard.frames.some((frame) => frame.frame === 'batch' && JSON.stringify(frame).includes(text))
    const next = (): number =>
      Math.max(
        ...heard.frames.map((frame) =>
          frame.frame === 'batch' && frame.peer === peer ? frame.first + frame.records.length : 0,
        ),
      )
    await heard.until(() => next() > 0)
    await first.close()
    await heard.state('reconnecting')
    const before = next()
    await orders.publish('order.meanwhile', 2)
    const second = await relayServer({}, first.port)
    expect(second.port).toBe(first.port)
    const opened = heard.states.length - 1
    await heard.state('open', Math.min(opened, 3))
    heard.attach({ [peer]: before })
    await heard.until(has('order.meanwhile'))
    const again = heard.frames.filter((frame) => frame.frame === 'batch' && frame.peer === peer)
    expect(again.some((frame) => 'first' in frame && frame.first === before)).toBe(true)
    expect(again.every((frame) => !('dropped' in frame))).toBe(true)
    // The relay of before is another peer, which is not there any more.
    await heard.until(() => heard.gone.some((gone) => gone.includes(relay)))
    expect(heard.gone.some((gone) => gone === 'all')).toBe(false)
  })

  it('says in words what a relay refuses, and does not try again', async () => {
    const { url } = await relayServer({
      auth: (token) =>
        token === 'reads'
          ? { subject: 's', rights: { publish: [], subscribe: ['**'] } }
          : token === 'inspects'
            ? { subject: 's', rights: { publish: [], subscribe: [], inspect: true } }
            : undefined,
    })
    const told = async (token?: string) => {
      const heard = new Heard({ url, room: 'shop', token })
      return heard.until(() => {
        const last = heard.states.at(-1)
        return last?.[0] === 'connecting' ? undefined : last
      })
    }
    expect(await told()).toEqual(['refused', 'The relay asks for a token.'])
    expect(await told('wrong')).toEqual(['refused', 'The relay does not accept this token.'])
    expect(await told('reads')).toEqual(['refused', expect.stringContaining('inspect: true')])
    expect(await told('inspects')).toEqual(['open', undefined])
  })

  it('waits for a relay that is not there yet', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const heard = new Heard({ url: `http://127.0.0.1:${port}`, room: 'shop' })
    await heard.until(() => heard.states.filter(([, detail]) => detail).length > 2)
    expect(heard.states.at(-1)?.[1] ?? heard.states.at(-2)?.[1]).toMatch(/does not answer/)
    await relayServer({}, port)
    await heard.state('open')
  })

  it.each(['not a url', 'ftp://relay', ''])('refuses the address %j', async (url) => {
    const heard = new Heard({ url, room: 'shop' })
    expect(await heard.state('refused')).toMatch(/ws:/)
  })

  it('answers by itself what is too large for a relay', async () => {
    const { url } = await relayServer()
    const heard = new Heard({ url, room: 'shop' })
    await heard.state('open')
    const data = JSON.stringify('x'.repeat(300_000))
    heard.say({ frame: 'ask', to: 'p', id: 9, ask: { what: 'publish', type: 'a.b', data } })
    expect(await heard.frame('answer')).toMatchObject({ id: 9, error: { code: 'too_large' } })
    expect(heard.states.map(([state]) => state)).toEqual(['connecting', 'open'])
  })

  it('takes no harm from a relay that talks nonsense, and leaves one that is silent', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    let connections = 0
    server.on('connection', (socket) => {
      connections += 1
      for (const text of ['{', '[]', 'null', '{"frame":"left"}', '{"frame":"left","peers":7}'])
        socket.send(text)
      socket.send('{"frame":"goaway","afterMs":"soon"}')
      socket.send('{"frame":"joined"}')
    })
    closing.push(server)
    const { port } = server.address() as AddressInfo
    const heard = new Heard({ url: `ws://127.0.0.1:${port}`, room: 'shop' })
    await heard.state('open')
    await heard.state('reconnecting')
    await heard.state('open', heard.states.length)
    expect(connections).toBeGreaterThan(1)
    expect(heard.frames).toEqual([])
    expect(heard.gone).toEqual([])
  })

  it('is silent after it was closed', async () => {
    const { url } = await relayServer()
    const heard = new Heard({ url, room: 'shop' })
    await heard.state('open')
    heard.source.close()
    expect(heard.states.at(-1)?.[0]).toBe('closed')
    expect(heard.gone).toEqual(['all'])
    heard.attach()
    const { frames, states } = heard
    const count = frames.length + states.length
    await relayServer()
    expect(frames.length + states.length).toBe(count)
  })
})
