/** The options of a bus: the one place where they are checked and get their defaults. */
import { BusError, type ErrorContext } from './errors.ts'
import { isEventType, isHeaderText } from './event.ts'
import type { Link, LinkSource } from './links/link.ts'
import type { LogSource } from './log/log.ts'
import type { Platform } from './platform.ts'
import type { EventSchemas, EventVersions, TypeVersions, UnknownPolicy } from './schema/schema.ts'
import type { RelaySource } from './sync/sync.ts'
import type { Gap, TypeOf } from './types.ts'

export interface BusOptions {
  /** Peers of one name hear each other: 1 to 64 of `A-Z a-z 0-9 _ -`. */
  readonly name: string
  /** Who publishes, as events carry it. @default the kind of context: 'page', 'worker', 'node'... */
  readonly source?: string | undefined
  /**
   * Where events are kept: `indexedDbLog()`, `sqliteLog(path)`, `memoryLog()`, or `false`.
   * @default indexedDbLog() where IndexedDB exists, memory elsewhere
   */
  readonly log?: LogSource | false | undefined
  /** The link to the other contexts of this origin. @default where BroadcastChannel exists */
  readonly tabs?: LinkSource | boolean | undefined
  /** The link to other devices: `relayLink({ url, room, token })`. @default none */
  readonly relay?: RelaySource | undefined
  /**
   * Links to others: `portLink(port, { origins })`, or your own, any object with `send`, `receive`
   * and `close`. What this bus hears they hear, and the other way round; with `log: false`, one of
   * them keeps what this bus publishes. docs/links.md says more. @default none
   */
  readonly links?: readonly (Link | LinkSource)[] | undefined
  readonly limits?:
    | {
        /** Events waiting for the log at most. @default 100_000 */
        readonly queueEvents?: number | undefined
        /** Bytes of them at most. @default 64 MiB */
        readonly queueBytes?: number | undefined
        /**
         * Events the log keeps at most. The oldest go first, but never what waits for the relay:
         * where that alone fills the log, `publish` rejects with `outbox_full`. @default 1_000_000
         */
        readonly logEvents?: number | undefined
        /** Characters of headers and data it keeps at most. @default 256 Mi */
        readonly logBytes?: number | undefined
        /** Days after which an event goes, counted from when it was written. @default 90 */
        readonly logDays?: number | undefined
      }
    | undefined
  /**
   * Told of everything that goes wrong after a call returned: a handler that threw, a frame that
   * could not be read, a rejected publish nobody awaits. @default console.error
   */
  readonly onError?: ((error: BusError, context: ErrorContext) => void) | undefined
  /** Told of a hole in what this device could read of the room. */
  readonly onGap?: ((gap: Gap) => void) | undefined
}

/** Options of a bus whose event types are inferred from schemas. */
export interface SchemaBusOptions<Schemas extends EventSchemas> extends BusOptions {
  /**
   * For each event type a Standard Schema, run once, at `publish`; or `{ schema, version, upcast }`,
   * where events of older versions are read as the current one. docs/schemas.md says more.
   */
  readonly events: Schemas
  /**
   * What becomes of events of other types, or of newer versions than this bus knows: `'deliver'`
   * as they are, `'ignore'`, or `'error'`, reported and not delivered. @default 'deliver'
   */
  readonly unknown?: UnknownPolicy | undefined
}

/** Options of a bus whose event types are given: `createBus<Shop>({ events })`. */
export interface VersionedBusOptions<Events extends object>
  extends BusOptions,
    Omit<SchemaBusOptions<never>, keyof BusOptions | 'events'> {
  /** Schemas or versions of some of the types, as in {@link SchemaBusOptions}. */
  readonly events?:
    | { readonly [Type in TypeOf<NoInfer<Events>>]?: TypeVersions<Events[Type]> }
    | undefined
}

export type AnyBusOptions = BusOptions & {
  readonly events?: EventSchemas | undefined
  readonly unknown?: UnknownPolicy | undefined
}

export interface ResolvedOptions {
  readonly name: string
  readonly source: string
  readonly events: EventSchemas | undefined
  readonly unknown: UnknownPolicy
  readonly log: LogSource | undefined
  readonly tabs: LinkSource | undefined
  readonly relay: RelaySource | undefined
  readonly links: readonly (Link | LinkSource)[]
  readonly limits: {
    readonly queueEvents: number
    readonly queueBytes: number
    readonly logEvents: number
    readonly logBytes: number
    readonly logDays: number
  }
  readonly onError: (error: BusError, context: ErrorContext) => void
  readonly onGap: (gap: Gap) => void
}

/** What the options may choose, given by `bus.ts`. */
export interface OptionDefaults {
  readonly indexedDb: () => LogSource
  readonly memory: () => LogSource
  readonly tabs: () => LinkSource
}

const KNOWN: ReadonlySet<string> = new Set([
  'name',
  'source',
  'events',
  'unknown',
  'log',
  'tabs',
  'relay',
  'links',
  'limits',
  'onError',
  'onGap',
])

/** @throws {BusError} invalid_options, log_unavailable */
export function resolveOptions(
  options: AnyBusOptions,
  platform: Platform,
  defaults: OptionDefaults,
): ResolvedOptions {
  if (typeof options !== 'object' || options === null)
    throw invalid("give options, as in { name: 'shop' }")
  const other = Object.keys(options).find((key) => !KNOWN.has(key))
  if (other !== undefined)
    throw invalid(`${other} is not an option; there are ${[...KNOWN].join(', ')}`)
  const { name, source = platform.kind, events, unknown, relay, limits = {} } = options
  const { onError, onGap } = options
  if (typeof name !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(name)) {
    throw invalid('name must be 1 to 64 of A-Z a-z 0-9 _ -')
  }
  if (!isHeaderText(source))
    throw invalid('source must be 1 to 256 characters without control characters')
  checkEvents(events, unknown)
  if (relay !== undefined && typeof relay?.connect !== 'function') {
    throw invalid('relay must come from relayLink({ url, room, token })')
  }
  for (const [key, check] of [
    ['onError', onError],
    ['onGap', onGap],
  ] as const) {
    if (check !== undefined && typeof check !== 'function')
      throw invalid(`${key} must be a function`)
  }
  checkLimits(limits)
  const log = resolveLog(options.log, platform, defaults)
  if (relay && !log) {
    throw invalid(
      'a relay needs a log, which holds what is not confirmed yet: use memoryLog() for one without a disk',
    )
  }
  return {
    name,
    source,
    events,
    unknown: unknown ?? 'deliver',
    log,
    tabs: resolveTabs(options.tabs, platform, defaults),
    relay,
    links: resolveLinks(options.links),
    limits: {
      queueEvents: limit('queueEvents', limits.queueEvents, 100_000),
      queueBytes: limit('queueBytes', limits.queueBytes, 64 * 1024 * 1024),
      logEvents: limit('logEvents', limits.logEvents, 1_000_000),
      logBytes: limit('logBytes', limits.logBytes, 256 * 1024 * 1024),
      logDays: limit('logDays', limits.logDays, 90),
    },
    onError: onError ?? reportToConsole,
    onGap: onGap ?? (() => {}),
  }
}

const POLICIES: ReadonlySet<unknown> = new Set([undefined, 'deliver', 'ignore', 'error'])

function checkEvents(events: EventSchemas | undefined, unknown: unknown): void {
  if (!POLICIES.has(unknown) || (unknown !== undefined && events === undefined))
    throw invalid("unknown must be 'deliver', 'ignore' or 'error', and beside events")
  if (events === undefined) return
  if (typeof events !== 'object' || events === null)
    throw invalid('events must be an object of schemas by event type')
  for (const [type, one] of Object.entries(events)) {
    if (!isEventType(type)) {
      throw invalid(
        `events['${type}'] is not an event type: use segments of A-Z a-z 0-9 _ - joined by dots`,
      )
    }
    if (!isSchema(one)) checkVersions(`events['${type}']`, one as EventVersions)
  }
}

function isSchema(one: unknown): boolean {
  const schema = one as { '~standard'?: { validate?: unknown } } | undefined | null
  return typeof schema?.['~standard']?.validate === 'function'
}

const VERSIONS: ReadonlySet<string> = new Set(['schema', 'version', 'upcast'])

/** Every step there must be and no other: a wrong number would be found out by an old event. */
function checkVersions(what: string, one: EventVersions | undefined | null): void {
  const { schema, version, upcast } = one ?? {}
  if (version === undefined || Object.keys(one ?? {}).some((key) => !VERSIONS.has(key)))
    throw invalid(`${what} must be a Standard Schema or { schema, version, upcast }`)
  if (schema !== undefined && !isSchema(schema))
    throw invalid(`${what}.schema must be a Standard Schema`)
  if (!Number.isSafeInteger(version) || version < 1)
    throw invalid(`${what}.version must be a whole number from 1`)
  const steps = upcast ?? {}
  let from = 1
  while (from < version && typeof steps[from] === 'function') from++
  if (from < version || Object.keys(steps).length >= version)
    throw invalid(`${what}.upcast must have a function for each version before ${version}`)
}

function resolveLog(
  log: BusOptions['log'],
  platform: Platform,
  { indexedDb, memory }: OptionDefaults,
): LogSource | undefined {
  if (log === false) return undefined
  const source =
    log === undefined ? (platform.indexedDB === undefined ? memory() : indexedDb()) : log
  if (typeof source !== 'object' || typeof source?.create !== 'function') {
    throw invalid('log must be indexedDbLog(), sqliteLog(path), memoryLog() or false')
  }
  if (source.available(platform)) return source
  if (!source.required) return memory()
  throw new BusError(
    'log_unavailable',
    'this runtime has no IndexedDB: leave out required, or use another log',
    {
      stage: 'log',
    },
  )
}

function resolveTabs(
  tabs: BusOptions['tabs'],
  platform: Platform,
  defaults: OptionDefaults,
): LinkSource | undefined {
  if (tabs === false) return undefined
  if (tabs !== undefined && tabs !== true) {
    if (typeof tabs?.open !== 'function') throw invalid('tabs must be true, false or a link')
    return tabs
  }
  return platform.BroadcastChannel === undefined ? undefined : defaults.tabs()
}

function resolveLinks(links: unknown): readonly (Link | LinkSource)[] {
  if (links === undefined) return []
  if (!Array.isArray(links) || !links.every(isLink))
    throw invalid(
      'links must be a list of portLink(...) or of objects with send, receive and close',
    )
  return [...(links as (Link | LinkSource)[])]
}

function isLink(link: unknown): boolean {
  if (typeof link !== 'object' || link === null) return false
  const { open, send, receive, close } = link as Record<string, unknown>
  return (
    typeof open === 'function' || [send, receive, close].every((one) => typeof one === 'function')
  )
}

const LIMITS: ReadonlySet<string> = new Set([
  'queueEvents',
  'queueBytes',
  'logEvents',
  'logBytes',
  'logDays',
])

function checkLimits(limits: unknown): void {
  if (typeof limits !== 'object' || limits === null) throw invalid('limits must be an object')
  const unknown = Object.keys(limits).find((key) => !LIMITS.has(key))
  if (unknown !== undefined)
    throw invalid(`limits.${unknown} is not a limit; there are ${[...LIMITS].join(', ')}`)
}

function limit(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw invalid(`limits.${name} must be a whole number from 1`)
}

function reportToConsole(error: BusError, context: ErrorContext): void {
  console.error(`[crosstown] [${context.stage}] ${error.code}: ${error.message}`, error.cause ?? '')
}

function invalid(what: string): BusError {
  return new BusError('invalid_options', `createBus: ${what}`)
}
