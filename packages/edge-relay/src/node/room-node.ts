/** A room, as the relays that serve it are one: what of it the others are told, and what they tell. */
import { type EventHeader, encodeFrame } from '@crosstown/bus/protocol'
import type { Delivery } from '../delivery.ts'
import type { Groups } from '../group/groups.ts'
import type { Limits } from '../limits.ts'
import type { Platform } from '../platform.ts'
import type { Presence } from '../presence.ts'
import type { RoomHead } from '../record.ts'
import type { Requests } from '../requests.ts'
import type { Store } from '../stores/store.ts'
import type { Nodes, SharedPlace } from './nodes.ts'
import { SharedRoom } from './shared-room.ts'
import { GREW, type Row, signalText } from './signal.ts'

/** The room in this process. */
export interface RoomParts {
  readonly room: string
  readonly presence: Presence
  readonly requests: Requests
  readonly delivery: Delivery
  /** Where the room stands; absent where it was not read. */
  readonly known: RoomHead | undefined
  readonly groups: Pick<Groups, 'gone'>
  /** Reads the room again, of which there is more than is known here; where that is not `sure`, if there is. */
  wake(sure?: boolean): void
}

export interface RoomNodeContext {
  readonly nodes: Nodes
  readonly store: Store
  readonly limits: Limits
  readonly platform: Platform
}

/** One room at one of the relays. */
export class RoomNode implements SharedPlace {
  readonly shared: SharedRoom
  readonly #nodes: Nodes
  readonly #store: Store
  readonly #parts: RoomParts

  /** @param parts used once all of it is there */
  constructor(context: RoomNodeContext, parts: RoomParts) {
    this.#nodes = context.nodes
    this.#store = context.store
    this.#parts = parts
    this.shared = new SharedRoom({
      ...context,
      room: parts.room,
      changed: (name, claim) => parts.presence.elsewhere(name, claim),
      passed: (node, decoded) => parts.requests.passed(node, decoded),
      responds: (node, types) => parts.requests.responds(node, types),
      settled: () => parts.requests.settled(),
      gone: (node) => parts.requests.gone(node),
    })
  }

  /** Where this relay stands in the room; absent where it was not read. */
  get row(): Row | undefined {
    const { known, room } = this.#parts
    // What was never written is not there for others.
    if (!known || known.version === 0) return undefined
    return [room, this.shared.rev, this.shared.mark, known.epoch, known.version]
  }

  /** There is more in the room than there was. */
  grew(): void {
    this.#store.signal(this.#parts.room, GREW)
  }

  /** Hands unpersisted events to the devices of others. */
  cast(events: readonly EventHeader[], data: readonly string[]): void {
    const frame = encodeFrame({ frame: 'cast', events }, data)
    this.#store.signal(this.#parts.room, signalText({ node: this.#nodes.name }, frame))
  }

  /** Another relay says something of the room. @throws {BusError} bad_frame, too_large */
  heard(text: string): void {
    if (text === GREW) {
      this.#parts.wake()
      return
    }
    const { decoded, envelope } = this.#nodes.take(text)
    if (decoded?.frame.frame === 'cast')
      this.#parts.delivery.cast(undefined, decoded.frame.events, decoded.data)
    else this.shared.heard(envelope, decoded)
  }

  /** Another relay stands there: of what it wrote this one may not have heard. */
  stands(node: string, row: Row): void {
    const [, , , epoch, version] = row
    const { known } = this.#parts
    if (known && (known.epoch !== epoch || known.version < version)) this.#parts.wake()
    this.shared.stands(node, row)
  }

  /** Another relay is gone: what it wrote last it may not have told, and what it leased is nobody's. */
  gone(node: string): void {
    this.#parts.wake(false)
    this.#parts.groups.gone()
    this.shared.gone(node)
  }
}
