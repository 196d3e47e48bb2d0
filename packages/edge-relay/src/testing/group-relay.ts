import type { Auth } from '../auth.ts'
import type { Limits } from '../limits.ts'
import { createRelay, type Relay } from '../relay.ts'
import { memoryStore } from '../stores/memory.ts'
import type { Store } from '../stores/store.ts'
import { GroupDevice } from './group-device.ts'
import { ManualPlatform } from './manual-platform.ts'
import { ProbeSocket } from './probe.ts'

const relays: Relay[] = []

/** Ends the relays of a test. */
export async function closeGroupRelays(): Promise<void> {
  await Promise.all(relays.splice(0).map((relay) => relay.close()))
}

export interface GroupRelayOptions {
  readonly auth?: Auth
  readonly limits?: Partial<Limits>
  readonly store?: Store
  readonly platform?: ManualPlatform
}

/** A relay, and devices that are members of groups. */
export interface GroupRelay {
  readonly relay: Relay
  readonly platform: ManualPlatform
  readonly errors: unknown[]
  device(id: string, token?: string): Promise<GroupDevice>
}

export function groupRelay({
  auth,
  limits = {},
  store,
  platform = new ManualPlatform(),
}: GroupRelayOptions = {}): GroupRelay {
  const errors: unknown[] = []
  const relay = createRelay({
    platform,
    store: store ?? memoryStore(),
    limits,
    ...(auth && { auth }),
    onError: (error) => errors.push(error),
  })
  relays.push(relay)
  return {
    relay,
    platform,
    errors,
    async device(id, token) {
      const socket = new ProbeSocket()
      const { probe } = socket.open(relay.accept(socket, { room: 'r' }))
      const { taken } = await probe.join(id, token === undefined ? {} : { token })
      return new GroupDevice(probe, socket, taken?.batch)
    },
  }
}

/** All that is under way in this process comes to rest. */
export async function turns(count: number = 8): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}
