/**
 * Real buses with their taps on a test network's virtual clock, and a hub that inspects them through
 * the channels of their devices.
 */
import type { Bus } from '@crosstown/bus'
import { INSPECT_CHANNEL } from '@crosstown/bus/inspect'
import {
  createTestNetwork,
  type RelayProgram,
  type TestBusOptions,
  type TestContext,
  type TestDevice,
  type TestNetwork,
} from '@crosstown/bus/testing'
import type { InspectSource, SourceSink } from '../../../../sources/source.ts'
import { createHub, type InspectorHub } from '../../hub.ts'
import type { Session } from '../../model.ts'
import type { Timing } from '../../timing.ts'

/** When a network's clocks begin. */
const EPOCH_MS = 1_700_000_000_000

export type AnyBus = Bus<Record<string, unknown>>

export class Town {
  readonly network: TestNetwork
  readonly hub: InspectorHub
  readonly #inspected = new Set<TestDevice>()
  #contexts = new Map<AnyBus, TestContext>()

  readonly #later: ReadonlySet<string>

  /** `later`: devices that are not inspected before `inspect()`. */
  constructor({
    relay,
    later = [],
  }: { readonly relay?: RelayProgram; readonly later?: readonly string[] } = {}) {
    this.#later = new Set(later)
    this.network = createTestNetwork(relay === undefined ? {} : { relay })
    this.hub = createHub([], { timing: this.#timing() })
  }

  get session(): Session {
    return this.hub.session
  }

  /** A bus in a context of its own, of an inspected device; it is used at once. */
  bus(device: string, options: Partial<TestBusOptions> = {}, kind?: 'page' | 'worker'): AnyBus {
    const on = this.network.device(device)
    if (!this.#later.has(device)) this.inspect(device)
    const context = on.open(kind)
    const bus = context.createBus<Record<string, unknown>>({
      name: 'shop',
      source: device,
      onError: () => {},
      ...options,
    })
    this.#contexts.set(bus, context)
    bus.subscribe('test.none', () => {})
    return bus
  }

  contextOf(bus: AnyBus): TestContext {
    return this.#contexts.get(bus) as TestContext
  }

  /** Lets virtual time pass, and the hub take in what it brought. */
  async pass(ms = 300): Promise<void> {
    await this.network.run(ms)
    this.hub.drain()
  }

  /** Until all are connected, and everything was told. */
  async settle(): Promise<void> {
    await this.network.settle()
    await this.pass()
  }

  async publish(bus: AnyBus, type: string, data?: unknown, options?: object): Promise<string> {
    const published = bus.publish(type, data, options)
    const { id } = await this.network.until(published)
    await this.pass()
    return id
  }

  /** The name the panel has for a bus. */
  nameOf(bus: AnyBus): string {
    return this.session.peers.get(this.peerOf(bus))?.name as string
  }

  peerOf(bus: AnyBus): string {
    const { source } = bus
    for (const { id, hello } of this.session.peers.values()) {
      if (hello.source === source) return id
    }
    throw new Error(`the panel has not heard of ${source}`)
  }

  /** Attaches to the taps of a device, now and from now on. */
  inspect(name: string): void {
    const device = this.network.device(name)
    if (this.#inspected.has(device)) return
    const remote = this.#inspected.size > 0
    this.#inspected.add(device)
    const Channel = device.open('worker').platform.BroadcastChannel as typeof BroadcastChannel
    this.hub.add(new ChannelSource(new Channel(INSPECT_CHANNEL), device.name, remote))
  }

  #timing(): Timing {
    const { network } = this
    const after = (ms: number, run: () => void): (() => void) => network.after(ms, run)
    return {
      now: () => EPOCH_MS + network.now,
      frame: (run) => void after(16, run),
      soon: (run) => void after(0, run),
      later: after,
    }
  }
}

class ChannelSource implements InspectSource {
  readonly label: string
  readonly kind: 'extension' | 'relay'
  readonly #channel: BroadcastChannel

  constructor(channel: BroadcastChannel, label: string, remote: boolean) {
    this.#channel = channel
    this.label = label
    this.kind = remote ? 'relay' : 'extension'
  }

  start(sink: SourceSink): void {
    this.#channel.onmessage = ({ data }: MessageEvent) => sink.frame(data as string)
    sink.state('open')
  }

  send(text: string): void {
    this.#channel.postMessage(text)
  }

  close(): void {
    this.#channel.close()
  }
}
