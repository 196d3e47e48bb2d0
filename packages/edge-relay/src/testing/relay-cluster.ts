/** Several relays on one store, in one process and on one clock that a test moves. */
import {
  deviceName,
  encodeFrame,
  type HelloFrame,
  type PresenceFrame,
  type Present,
} from '@crosstown/bus/protocol'
import type { Auth } from '../auth.ts'
import type { Limits } from '../limits.ts'
import type { LogRecord } from '../log.ts'
import { createRelay, type Relay } from '../relay.ts'
import { GroupDevice } from './group-device.ts'
import { turns } from './group-relay.ts'
import { ManualPlatform } from './manual-platform.ts'
import { headerOf, type Probe, ProbeSocket } from './probe.ts'
import { type Fate, type SharedStore, sharedStores } from './shared-store.ts'

export interface ClusterOptions {
  readonly count?: number
  readonly auth?: Auth
  readonly limits?: Partial<Limits>
  readonly fate?: Fate
}

const relays: Relay[] = []

/** Ends the relays of a test. */
export async function closeClusters(): Promise<void> {
  await Promise.all(relays.splice(0).map((relay) => relay.close()))
}

/** A device, as it is connected to one of the relays. */
export class ClusterDevice {
  readonly name: string
  readonly probe: Probe
  readonly socket: ProbeSocket
  /** Who it knows is there: the ids of their contexts, by device. */
  readonly sees: Map<string, readonly string[]> = new Map()

  constructor(id: string, socket: ProbeSocket) {
    this.name = deviceName(id)
    this.socket = socket
    this.probe = socket.probe
  }

  say(members: readonly string[], responds?: readonly string[]): void {
    const present = members.map((id): Present => ({ id, kind: 'page', source: 'page' }))
    const device = { members: present, ...(responds && { responds }) }
    this.probe.send({ frame: 'presence', devices: [device] })
  }

  ask(
    id: string,
    type: string,
    {
      timeoutMs = 60_000,
      waitMs = 0,
      data = '1',
    }: { readonly timeoutMs?: number; readonly waitMs?: number; readonly data?: string } = {},
  ): void {
    const events = [headerOf(id, type)]
    this.probe.sendRaw(encodeFrame({ frame: 'request', events, timeoutMs, waitMs }, [data]))
  }

  reply(id: string, device: string, data: string): void {
    this.probe.sendRaw(encodeFrame({ frame: 'reply', id, device }, [data]))
  }

  /** Takes in what came of others. */
  look(): Readonly<Record<string, readonly string[]>> {
    const frames = this.probe.unread.flatMap(({ frame }) =>
      frame.frame === 'presence' ? [frame] : [],
    )
    for (const frame of frames) this.#take(frame)
    const others = this.probe.unread.filter(({ frame }) => frame.frame !== 'presence')
    this.probe.unread.splice(0, Infinity, ...others)
    return Object.fromEntries(this.sees)
  }

  #take({ devices, whole }: PresenceFrame): void {
    if (whole) this.sees.clear()
    for (const { device = '', members } of devices) {
      // Its own word comes back with those of others; a bus passes it over.
      if (device === this.name) continue
      if (members.length === 0) this.sees.delete(device)
      else
        this.sees.set(
          device,
          members.map(({ id }) => id),
        )
    }
  }
}

/** One relay of several. */
export interface ClusterNode {
  readonly relay: Relay
  readonly way: SharedStore
  readonly errors: unknown[]
  readonly log: LogRecord[]
  device(id: string, hello?: Partial<HelloFrame>): Promise<ClusterDevice>
  /** A device that joins groups. */
  member(id: string): Promise<GroupDevice>
}

export interface Cluster {
  readonly platform: ManualPlatform
  readonly nodes: readonly ClusterNode[]
  /** Time passes, and all that is due is done. */
  pass(ms: number): Promise<void>
}

/** Relays that know of each other. */
export async function cluster({
  count = 2,
  auth,
  limits = {},
  fate = () => 1,
}: ClusterOptions = {}): Promise<Cluster> {
  const platform = new ManualPlatform()
  const nodes = sharedStores(count, fate).map((way): ClusterNode => {
    const errors: unknown[] = []
    const log: LogRecord[] = []
    const relay = createRelay({
      platform,
      store: way.store,
      limits,
      ...(auth && { auth }),
      onError: (error) => errors.push(error),
      log: (record) => log.push(record),
    })
    relays.push(relay)
    return {
      relay,
      way,
      errors,
      log,
      async device(id, hello = {}) {
        const socket = new ProbeSocket()
        socket.open(relay.accept(socket, { room: 'r' }))
        const device = new ClusterDevice(id, socket)
        await device.probe.join(id, hello)
        return device
      },
      async member(id) {
        const socket = new ProbeSocket()
        const { probe } = socket.open(relay.accept(socket, { room: 'r' }))
        const { taken } = await probe.join(id)
        return new GroupDevice(probe, socket, taken?.batch)
      },
    }
  })
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 250) {
      platform.advance(Math.min(250, left))
      await turns(6)
    }
  }
  await pass(3_000)
  return { platform, nodes, pass }
}
