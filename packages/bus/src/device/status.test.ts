import { beforeEach, describe, expect, test } from 'vitest'
import { BusError } from '../errors.ts'
import type { StatusSnapshot } from '../types.ts'
import { Store, statusOf } from './status.ts'

const first: StatusSnapshot = {
  relay: 'off',
  rtt: undefined,
  leader: false,
  log: { kind: 'memory', state: 'closed', bytes: 0 },
  outbox: { pending: 0, refused: 0 },
  lastError: undefined,
}

let store: Store<StatusSnapshot>
let failures: unknown[]

beforeEach(() => {
  failures = []
  store = new Store<StatusSnapshot>({ ...first }, (error) => failures.push(error))
})

describe('snapshots', () => {
  test('are the same object until something changes', () => {
    const before = store.get()
    store.update({ leader: false, outbox: { pending: 0, refused: 0 } })
    expect(store.get()).toBe(before)
    store.update({ leader: true })
    expect(store.get()).not.toBe(before)
    expect(before.leader).toBe(false)
    expect(store.get()).toEqual({ ...first, leader: true })
  })

  test('cannot be changed by whoever got one', () => {
    store.update({ leader: true })
    expect(() => Object.assign(store.get(), { leader: false })).toThrow(TypeError)
  })

  test('change with a part of a part', () => {
    store.update({ outbox: { pending: 1, refused: 0 } })
    expect(store.get().outbox).toEqual({ pending: 1, refused: 0 })
  })

  test('tell two errors apart though they look the same', () => {
    const [one, two] = [new BusError('silent', 'x'), new BusError('silent', 'x')]
    store.update({ lastError: one })
    store.update({ lastError: two })
    expect(store.get().lastError).toBe(two)
  })
})

describe('subscribers', () => {
  test('are called at once and after each change, not when nothing changed', () => {
    const seen: boolean[] = []
    store.subscribe(({ leader }) => seen.push(leader))
    store.update({ leader: true })
    store.update({ leader: true })
    store.update({ leader: false })
    expect(seen).toEqual([false, true, false])
  })

  test('are not called after they left, by call or at the end of a block', () => {
    const seen: string[] = []
    const off = store.subscribe(() => seen.push('one'))
    {
      using _ = store.subscribe(() => seen.push('two'))
    }
    off()
    off()
    store.update({ leader: true })
    expect(seen).toEqual(['one', 'two'])
  })

  test('one function subscribed twice is two subscriptions', () => {
    let calls = 0
    const callback = () => {
      calls += 1
    }
    const off = store.subscribe(callback)
    store.subscribe(callback)
    off()
    store.update({ leader: true })
    expect(calls).toBe(3)
  })

  test('one that throws is told of and stops neither the others nor itself', () => {
    const seen: boolean[] = []
    const failure = new Error('broken')
    store.subscribe(() => {
      throw failure
    })
    store.subscribe(({ leader }) => seen.push(leader))
    store.update({ leader: true })
    expect(seen).toEqual([false, true])
    expect(failures).toEqual([failure, failure])
  })

  test('one that another one unsubscribes during a change is not called any more', () => {
    const seen: string[] = []
    let off = (): void => {}
    store.subscribe(({ leader }) => leader && off())
    off = store.subscribe(() => seen.push('called'))
    store.update({ leader: true })
    expect(seen).toEqual(['called'])
  })

  test('one that changes the status leaves everybody with the newest snapshot', () => {
    const seen: StatusSnapshot[] = []
    store.subscribe(({ leader }) => leader && store.update({ relay: 'online' }))
    store.subscribe((snapshot) => seen.push(snapshot))
    store.update({ leader: true })
    expect(seen.at(-1)).toBe(store.get())
    expect(store.get()).toMatchObject({ leader: true, relay: 'online' })
  })
})

describe('the status of a bus', () => {
  test('shows the newest snapshot under its own names', () => {
    const status = statusOf(store, () => {})
    store.update({ leader: true, rtt: 12, relay: 'online' })
    const { get, subscribe, ...shown } = status
    expect(shown).toEqual(store.get())
    expect(get()).toBe(store.get())
    let seen: StatusSnapshot | undefined
    subscribe((snapshot) => {
      seen = snapshot
    })
    expect(seen).toBe(store.get())
  })

  test('uses the bus when it is asked for what only a bus in use can have', () => {
    let uses = 0
    const status = statusOf(store, () => {
      uses += 1
    })
    status.get()
    expect(uses).toBe(0)
    expect([status.relay, status.leader]).toEqual(['off', false])
    status.subscribe(() => {})
    expect(uses).toBe(3)
  })
})
