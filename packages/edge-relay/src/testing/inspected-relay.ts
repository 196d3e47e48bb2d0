/** A relay in a test's hand, with devices and inspectors of its room `r`. */
import type { Rights } from '@crosstown/bus/protocol'
import type { Auth, RelayRights } from '../auth.ts'
import type { Limits } from '../limits.ts'
import { createRelay, type Relay } from '../relay.ts'
import { memoryStore } from '../stores/memory.ts'
import type { Store } from '../stores/store.ts'
import { type InspectorProbe, InspectorSocket } from './inspector.ts'
import { ManualPlatform } from './manual-platform.ts'
import { type Probe, ProbeSocket } from './probe.ts'

/** After so long a tap sends what it gathered. */
export const FLUSH_MS = 50
export const ALL: Rights = { publish: ['**'], subscribe: ['**'] }

const relays: Relay[] = []

/** Closes the relays of a test. */
export async function closeRelays(): Promise<void> {
  await Promise.all(relays.splice(0).map((relay) => relay.close()))
}

/** How the relay of a test is made. */
export interface InspectedSetup {
  readonly auth?: Auth
  readonly limits?: Partial<Limits>
  readonly store?: Store
  readonly platform?: ManualPlatform
}

type DeviceProbe = Probe & { readonly socket: ProbeSocket }
type Attached = InspectorProbe & { readonly socket: InspectorSocket; readonly relay: string }

export interface InspectedRelay {
  readonly relay: Relay
  readonly platform: ManualPlatform
  readonly errors: unknown[]
  /** A socket on which nobody said hello yet. */
  connect(): Probe
  join(device: string, extra?: object): Promise<DeviceProbe>
  inspector(room?: string): InspectorSocket
  /** An inspector that is attached, and heard the relay. */
  attached(token?: string): Promise<Attached>
}

export function inspectedRelay(given: InspectedSetup = {}): InspectedRelay {
  const { auth, limits = {}, store = memoryStore(), platform = new ManualPlatform() } = given
  const errors: unknown[] = []
  const relay = createRelay({
    platform,
    store,
    limits,
    ...(auth && { auth }),
    onError: (error) => errors.push(error),
  })
  relays.push(relay)
  const open = (): ProbeSocket => {
    const socket = new ProbeSocket()
    return socket.open(relay.accept(socket, { room: 'r' }))
  }
  return {
    relay,
    platform,
    errors,
    connect: () => open().probe,
    async join(device, extra = {}) {
      const socket = open()
      await socket.probe.join(device, extra)
      return Object.assign(socket.probe, { socket })
    },
    inspector: (room) => new InspectorSocket(relay, room),
    async attached(token) {
      const socket = new InspectorSocket(relay)
      await socket.probe.join(token)
      socket.probe.attach()
      const { peer } = await socket.probe.next('hello', ({ kind }) => kind === 'relay')
      return Object.assign(socket.probe, { socket, relay: peer })
    },
  }
}

/** All that is under way in this process comes to rest. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Accepts these tokens, each of a subject of the same name. */
export function tokens(rights: Record<string, RelayRights>): Auth {
  return (token) => {
    const found = rights[token ?? '']
    return found && { subject: token as string, rights: found }
  }
}

/** What a device hears for the taps behind it, as soon as there is more of it. */
export async function heard(device: Probe): Promise<Record<string, unknown>> {
  const { frame } = await device.next('inspect')
  return JSON.parse(frame.text) as Record<string, unknown>
}

/** A device says something to those who inspect. */
export function tell(device: Probe, frame: object): void {
  device.send({ frame: 'inspect', text: JSON.stringify({ inspect: 2, ...frame }) })
}

export function hello(peer: string): object {
  return { frame: 'hello', peer, kind: 'page' }
}

export function batch(peer: string, first: number, count = 1): object {
  const records = Array.from({ length: count }, () => ({ at: 1, is: 'life', state: 'hidden' }))
  return { frame: 'batch', peer, first, records }
}
