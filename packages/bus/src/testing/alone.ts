/** A bus for a test that has nobody else: no other context, no relay, nothing on a disk. */
import type { Accepted } from '../batch/pipeline.ts'
import type { BusEvent } from '../event.ts'
import { memoryLog } from '../log/memory.ts'
import type { AnyBusOptions, BusOptions, VersionedBusOptions } from '../options.ts'
import { type Platform, runtimePlatform } from '../platform.ts'
import type { EventSchemas } from '../schema/schema.ts'
import type {
  Bus,
  DurableOptions,
  GroupOptions,
  Middleware,
  PublishedDraft,
  PublishOptions,
  Unsubscribe,
} from '../types.ts'
import { createBusOn } from './whole-bus.ts'

/** Options of a bus that is alone: those of `createBus` which are not about others. */
export interface AloneOptions
  extends Omit<BusOptions, 'name' | 'log' | 'tabs' | 'relay' | 'links'> {
  /** @default 'test' */
  readonly name?: string | undefined
}

/** With schemas, from which the event types are inferred. */
export interface AloneSchemaOptions<Schemas extends EventSchemas> extends AloneOptions {
  readonly events: Schemas
  readonly unknown?: VersionedBusOptions<object>['unknown']
}

/** With event types that are given, and schemas or versions of some of them. */
export type AloneVersionedOptions<Events extends object> = AloneOptions &
  Pick<VersionedBusOptions<Events>, 'events' | 'unknown'>

export type AnyBus = Bus<Record<string, unknown>>

/** As little of the runtime as there can be: nothing of the bus gets out of it. */
export function alonePlatform(): Platform {
  const nowhere = { BroadcastChannel: undefined, WebSocket: undefined, indexedDB: undefined }
  return { ...runtimePlatform(), ...nowhere, locks: undefined }
}

/**
 * A bus that is alone. Code that waits for a relay waits for the log, and groups have one member.
 *
 * @param accepted told of what is published, while `publish` runs
 * @param change what becomes of each event before it is published
 */
export function busAlone(
  { name = 'test', ...options }: AloneOptions & Pick<AnyBusOptions, 'events' | 'unknown'>,
  platform: Platform,
  accepted?: Accepted,
  change: (draft: PublishedDraft) => PublishedDraft = (draft) => draft,
): AnyBus {
  const bus = createBusOn({ ...options, name, log: memoryLog(), tabs: false }, platform, accepted)
  const middleware: Middleware = {
    publish: (draft, next) => next(change(nearer(draft, isForRoom(draft)))),
  }
  bus.use(middleware)
  const { publishBatch, flush } = bus
  const subscribe = bus.subscribe as (...given: Subscribing) => Unsubscribe
  const replaced = {
    subscribe: (patterns, handler, options) => subscribe(patterns, handler, alone(options)),
    publishBatch(entries, level = {}) {
      const forRoom = Array.isArray(entries) && entries.every(isForRoom)
      return publishBatch(entries, nearer(level, forRoom))
    },
    flush: (level = {}) => flush(nearer(level, true)),
  } as Pick<AnyBus, 'publishBatch' | 'flush'> & { subscribe: typeof subscribe }
  return Object.assign(bus, replaced) as AnyBus
}

type Subscribing = [patterns: unknown, handler: unknown, options?: Partial<Consuming>]
type Consuming = GroupOptions<BusEvent> & DurableOptions<BusEvent>

/** Who is the only member of a group is a durable consumer, and what is in the log is confirmed. */
function alone(options: Partial<Consuming> | undefined): Partial<Consuming> | undefined {
  if (options?.group === undefined && options?.confirmed === undefined) return options
  const { group, confirmed: _, ...others } = options
  return group === undefined ? others : { ...others, durable: `group ${group}` }
}

function isForRoom(options: PublishOptions | undefined): boolean {
  return options?.scope === undefined || options.scope === 'room'
}

/** Where there is no room, what would be confirmed by it is in the log. */
function nearer<Level extends { readonly until?: unknown }>(level: Level, forRoom: boolean): Level {
  return forRoom && level.until === 'relayed' ? { ...level, until: 'logged' } : level
}
