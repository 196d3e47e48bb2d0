import { describe, expect, it } from 'vitest'
import { createRelay } from './relay.ts'
import { memoryStore } from './stores/memory.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { type Probe, ProbeSocket, publishOf } from './testing/probe.ts'

/** A store whose appends wait until they are let go. */
function held() {
  const store = memoryStore()
  const append = store.append.bind(store)
  let release = (): void => {}
  let begun = (): void => {}
  const waiting = new Promise<void>((resolve) => {
    begun = resolve
  })
  const hold = (): void => {
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    store.append = async (...args) => {
      begun()
      await released
      return append(...args)
    }
  }
  return { store, hold, waiting, release: () => release() }
}

function setup(store = memoryStore()) {
  const platform = new ManualPlatform()
  const relay = createRelay({ store, platform })
  const connect = (): Probe => {
    const socket = new ProbeSocket()
    return socket.open(relay.accept(socket, { room: 'r' })).probe
  }
  return { relay, platform, connect }
}

const post = (room: string): [string, RequestInit] => [
  `http://localhost/rooms/${room}/events`,
  { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"type":"a.b"}' },
]

describe('a relay that closes', () => {
  it('commits and acknowledges what it took, takes nothing more, and then sends everyone away', async () => {
    const { store, hold, waiting, release } = held()
    const { relay, connect } = setup(store)
    const probe = connect()
    await probe.join('d')
    hold()
    probe.send(publishOf(1, undefined, ['a-1']), ['1'])
    await waiting
    const closed = relay.close()
    probe.send(publishOf(2, 1, ['a-2']), ['2'])
    expect((await relay.request(...post('r'))).status).toBe(503)
    expect((await relay.request(...post('another'))).status).toBe(503)
    expect(probe.closed).toBe(undefined)
    release()
    expect((await probe.next('ack')).frame.batch).toBe(1)
    expect((await probe.next('reject')).frame).toMatchObject({ batch: 2, code: 'going_away' })
    await probe.next('goaway')
    expect(await probe.end()).toEqual({ code: 3000, reason: 'going_away' })
    await closed
  })

  it('ends what it is deleting before it lets go of its store', async () => {
    const store = memoryStore()
    const steps: string[] = []
    let release = (): void => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const remove = store.delete.bind(store)
    store.delete = async (room) => {
      steps.push('deleting')
      await released
      return remove(room)
    }
    const close = store.close.bind(store)
    store.close = () => {
      steps.push('store closed')
      return close()
    }
    const { relay, connect } = setup(store)
    await connect().join('d')
    const deleted = relay.deleteRoom('r').finally(() => steps.push('deleted'))
    const closed = relay.close()
    await new Promise((resolve) => setImmediate(resolve))
    release()
    expect(await deleted).toBe(true)
    await closed
    expect(steps).toEqual(['deleting', 'deleted', 'store closed'])
  })

  it('spreads the return of many devices over more time than that of few', async () => {
    const { relay, connect } = setup()
    const probes = Array.from({ length: 3_000 }, connect)
    await relay.close()
    const { frame } = await (probes[0] as Probe).next('goaway')
    expect(frame).toEqual({ frame: 'goaway', afterMs: 500, jitterMs: 3_000 })
  })

  it('leaves no timer behind', async () => {
    const { relay, connect, platform } = setup()
    await connect().join('d')
    expect(platform.timers).toBe(1)
    await relay.close()
    expect(platform.timers).toBe(0)
  })
})
