/** One store as several relays of a process have it, and the ways in which one of them can lose it. */
import { BusError } from '@crosstown/bus/protocol'
import { memoryStore } from '../stores/memory.ts'
import type { Store } from '../stores/store.ts'

/** What becomes of a signal: how often it arrives. */
export type Fate = (room: string, text: string) => number

/** A relay's own way to the store. */
export interface SharedStore {
  readonly store: Store
  /** Nothing gets through any more, either way, and nobody says so. */
  cut(): void
  /** It does again; whoever listens is told that something may have been missed. */
  heal(): void
  /** Somebody who may write to the store says something. */
  hear(room: string, text: string): void
  /** How often the store was asked for something, or for this. */
  calls(what?: string): number
  /** What it signalled so far. */
  readonly signals: readonly (readonly [room: string, text: string])[]
}

/** Names that are read without asking the store. */
const LOCAL: ReadonlySet<string | symbol> = new Set(['engine', 'durability', 'exclusive'])

/**
 * @param fate of each signal
 * @example const [a, b] = sharedStores(2)
 */
export function sharedStores(count: number, fate: Fate = () => 1): SharedStore[] {
  const store = memoryStore()
  const all: { isCut: boolean; heard: Parameters<NonNullable<Store['listen']>>[0] }[] = []
  return Array.from({ length: count }, () => {
    const own = { isCut: false, heard: (_room: string | undefined, _text: string): void => {} }
    const calls: string[] = []
    const signals: (readonly [string, string])[] = []
    all.push(own)
    const ways: Partial<Store> = {
      close: async () => {},
      listen(heard) {
        own.heard = heard
        setImmediate(() => heard(undefined, ''))
      },
      signal(room, text) {
        signals.push([room, text])
        if (own.isCut) return
        for (const other of all) {
          if (other === own) continue
          for (let times = fate(room, text); times > 0; times--)
            setImmediate(() => other.isCut || other.heard(room, text))
        }
      },
    }
    const view = new Proxy(store, {
      get(_, key) {
        if (Object.hasOwn(ways, key)) return Reflect.get(ways, key)
        // Private fields are found on the store itself.
        const value: unknown = Reflect.get(store, key)
        if (LOCAL.has(key) || typeof value !== 'function') return value
        return (...args: unknown[]) => {
          calls.push(String(key))
          return own.isCut
            ? Promise.reject(new BusError('unavailable', 'the store is out of reach'))
            : value.apply(store, args)
        }
      },
      has: (_, key) => Object.hasOwn(ways, key) || Reflect.has(store, key),
    })
    return {
      store: view,
      cut: () => {
        own.isCut = true
      },
      heal: () => {
        own.isCut = false
        own.heard(undefined, '')
      },
      hear: (room, text) => own.heard(room, text),
      calls: (what) => calls.filter((call) => what === undefined || call === what).length,
      signals,
    }
  })
}
