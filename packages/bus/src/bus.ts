/** Wires the stages to a bus; no logic of its own. */
import type { Batch } from './batch/batch.ts'
import { Composer } from './batch/composer.ts'
import { DirectPublisher, DirectQueue } from './batch/direct.ts'
import { errorData, errorOptions } from './batch/error-event.ts'
import { type Accepted, Pipeline } from './batch/pipeline.ts'
import { type Draft, Publisher } from './batch/publisher.ts'
import { abortError, follow, rejectedTicket, settleHandled, type Ticket } from './batch/ticket.ts'
import { decodeValue, encodeValue } from './codec/codec.ts'
import { Consumers } from './consume/consumers.ts'
import { Groups } from './consume/groups.ts'
import { subscribeGroup } from './consume/subscribe-group.ts'
import type { DeadLetters } from './consume/types.ts'
import { Device } from './device/device.ts'
import { observed, part, statusOf, unsubscriber } from './device/status.ts'
import { namedTurn, takeTurn } from './device/turn.ts'
import { Dispatcher } from './dispatch/dispatcher.ts'
import { type AnyHandler, Handlers } from './dispatch/handlers.ts'
import { iterate, nextEvent } from './dispatch/iterate.ts'
import { type AroundPublish, Middlewares, passAll, passPublish } from './dispatch/middleware.ts'
import { BusError } from './errors.ts'
import { type BusEvent, isHeaderText } from './event.ts'
import { Peer } from './inspect/peer.ts'
import { inspectable } from './inspect/peers.ts'
import type { TapHolder } from './inspect/tap.ts'
import { tabsLink } from './links/tabs.ts'
import { indexedDbLogWith } from './log/indexeddb.ts'
import { lateMemoryLog } from './log/late-memory.ts'
import type { Log } from './log/log.ts'
import { LogWriter } from './log/writer.ts'
import {
  type AnyBusOptions,
  type BusOptions,
  resolveOptions,
  type SchemaBusOptions,
  type VersionedBusOptions,
} from './options.ts'
import { loaded } from './part.ts'
import { lazyParts, type Parts } from './parts.ts'
import { type Platform, runtimePlatform } from './platform.ts'
import { PresenceView } from './presence.ts'
import { parsePatterns, typeMatcher } from './protocol/pattern.ts'
import { checkOf, positionOf } from './protocol/position.ts'
import { deviceName } from './protocol/presence.ts'
import { assertFrom, unreadable } from './read/bound.ts'
import { lateReplay } from './read/late-replay.ts'
import type { OutboxEntry } from './read/outbox.ts'
import { Subscriber } from './read/subscriber.ts'
import { Views } from './read/views.ts'
import { FrontDesk, type FrontDeskOptions } from './request/front-desk.ts'
import type { RequestOptions } from './request/request.ts'
import type { Responder } from './request/requests.ts'
import { EventTypes } from './schema/event-types.ts'
import type { EventSchemas, SchemaEvents, SchemaInput } from './schema/schema.ts'
import { lateGuest, lateHost } from './sync/late-guests.ts'
import { UserLinks } from './sync/links.ts'
import { Peers } from './sync/peers.ts'
import { RelayedWaiters } from './sync/waiters.ts'
import type {
  Bus,
  DurableOptions,
  EventsOptions,
  GroupOptions,
  ListenOptions,
  Middleware,
  ProjectOptions,
  PublishErrorOptions,
  PublishedDraft,
  PublishOptions,
  ReplayOptions,
  SubscribeOptions,
  SystemEvents,
} from './types.ts'

/**
 * Makes a bus. Synchronous, without I/O before first use; by itself it keeps no process
 * alive.
 *
 * @throws {BusError} invalid_options, log_unavailable
 * @example
 * type Shop = { 'cart.item_added': { sku: string }; 'cart.cleared': void }
 * const bus = createBus<Shop>({ name: 'shop' })
 * bus.subscribe('cart.*', (event) => console.log(event.type, event.data))
 * await bus.publish('cart.item_added', { sku: 'A1' })
 */
export function createBus<const Schemas extends EventSchemas>(
  options: SchemaBusOptions<Schemas>,
): Bus<SchemaEvents<Schemas>, SchemaInput<Schemas>>
export function createBus<Events extends object = Record<string, unknown>>(
  options: VersionedBusOptions<Events>,
): Bus<Events>
export function createBus(options: BusOptions): Bus<Record<string, unknown>> {
  return createBusOn(options, runtimePlatform())
}

/** A bus on a given platform, which may be watched: what `createBus` is with the runtime's. @internal */
export function createBusOn(
  options: AnyBusOptions,
  platform: Platform,
  accepted?: Accepted,
  parts: Parts = lazyParts,
): Bus<Record<string, unknown>> {
  const resolved = resolveOptions(options, platform, {
    indexedDb: () => indexedDbLogWith(parts.rare),
    memory: () => lateMemoryLog(parts.memory, (module) => module.processMemoryLog()),
    tabs: tabsLink,
  })
  const { name, source, events, unknown, log, tabs, relay, links, limits, onError, onGap } =
    resolved
  const direct = !log && !tabs && !relay && !events && links.length === 0

  const taps: TapHolder = { tap: undefined }
  const report = (error: BusError): void => {
    taps.tap?.error(error)
    const { stage = 'batch', eventId, eventType } = error
    try {
      onError(error, {
        stage,
        ...(eventId === undefined ? undefined : { eventId }),
        ...(eventType === undefined ? undefined : { eventType }),
      })
    } catch (cause) {
      console.error('[crosstown] onError itself threw', cause)
    }
  }
  const ended = (): boolean => closed !== undefined
  const reportLate = (error: BusError): void => {
    if (!ended()) report(error)
  }
  const later = (run: () => void): void => void platform.timer(0, run)
  const handlers = new Handlers(taps, platform)
  const types = events && new EventTypes(events, unknown)
  const dispatcher = new Dispatcher({
    decode: decodeValue,
    types,
    taps,
    report,
    now: () => platform.monotonic(),
    context: (subscription, delivery) => handlers.context(subscription, delivery),
  })
  const middlewares = new Middlewares(dispatcher, { now: () => platform.monotonic(), report })
  const composer = new Composer({
    source,
    platform,
    encode: encodeValue,
    // Without one of its own, those it is linked with may keep one.
    hasLog: log !== undefined || links.length > 0,
  })
  const { prefix } = composer
  const presence = { prefix, source, platform, nameOf: deviceName, device: deviceName(name) }
  const groups = new Groups({
    platform,
    prefix,
    open: (incoming) => dispatcher.open(incoming),
    admits: (header) => types?.admits(header) ?? true,
    positionOf: (epoch, place, id) => positionOf(epoch, place, checkOf(id)),
    say: (frame) => device.member(frame),
    hasWay: () => device.hasWay,
    part: parts.groups,
    report,
    ended,
  })
  const asking: FrontDeskOptions = {
    part: parts.request,
    ended,
    prefix,
    source,
    platform,
    alone: direct,
    validate: types && ((type, data) => types.validate(type, data)),
    compose: (type, data, options) => composer.cast(type, data, options),
    encode: encodeValue,
    decode: decodeValue,
    open: (question) => dispatcher.open(question),
    context: (...made) => handlers.responding(...made),
    report,
  }
  const waiters = new RelayedWaiters(() => platform.hold())
  const device: Device = new Device({
    name,
    prefix: composer.prefix,
    platform,
    taps,
    log,
    tabs,
    relay,
    links,
    retention: { events: limits.logEvents, bytes: limits.logBytes, days: limits.logDays },
    inspection: () => inspected.inspection,
    report,
    onGap,
    opened: () => pipeline.run(),
    settle: () => pipeline.urge(),
    cleared: (error) => {
      const lost = pipeline.abandon(error)
      if (lost > 0) report(lostError(error, `the log was cleared before ${lost}`))
    },
    renewed: () => {
      subscriber.renewed()
      views.renewed()
    },
    logged: (batch, entries) => {
      views.logged(batch, entries)
      consumers.wake(batch)
    },
    changed: (head) => {
      views.changed(head)
      consumers.wake(head)
    },
    publishSystem: (type, data) => {
      publisher.publishSystem(type, data).catch(report)
    },
    stages: {
      dispatcher,
      waiters,
      members: groups,
      peers: (peerEvents) =>
        new Peers(composer.prefix, platform, relay !== undefined, peerEvents, taps),
      presence: (presenceEvents) => new PresenceView(presence, presenceEvents),
      requests: (requestEvents) => new FrontDesk(asking, requestEvents),
      writer: (opened) => new LogWriter(opened, platform),
      takeTurn,
      links: (linkedEvents) => new UserLinks(linkedEvents, taps),
      guest: (options) => lateGuest(parts.guests, options, reportLate),
      host: (options) => lateHost(parts.guests, options, reportLate),
      fallbackLog: async () => {
        const { MemoryLog } = await loaded(parts.memory)
        return () => new MemoryLog(platform)
      },
      settleHandled: settleHandlers,
      withExpected: async (opened, entries) =>
        (await loaded(parts.read)).withExpected(opened, entries, report),
    },
  })
  const pipeline = new Pipeline(device.sinks, limits, taps, accepted)
  const publisher = new Publisher({
    composer,
    pipeline,
    hasRelay: relay !== undefined,
    outboxFull: () => relay !== undefined && device.outboxFull,
    nobodyKeepsLog: () => device.nobodyKeepsLog,
    handlers: dispatcher,
    now: () => platform.now(),
    validate: types && ((type, data) => types.validate(type, data)),
    version: types && ((type, given) => types.version(type, given)),
    copy: (data, type) => {
      const { text, encoding } = encodeValue(data, type)
      return decodeValue(text, encoding, { type, id: 'a copy' })
    },
    later,
    report,
  })
  const queue = new DirectQueue(
    (event, ticket) => dispatcher.own(event, ticket),
    (ticket) => settle(ticket),
    taps,
  )
  const directly = new DirectPublisher({ composer, queue, handlers: dispatcher, later, report })
  const openLog = async (): Promise<Log | undefined> => {
    inspected.use()
    return direct ? undefined : device.open()
  }
  const subscriber = new Subscriber<AnyHandler>({
    attach: (...made) => handlers.attach(dispatcher, ...made),
    decode: (event) => dispatcher.open(event),
    hasLog: log !== undefined,
    hasRelay: relay !== undefined,
    open: openLog,
    prefix: composer.prefix,
    platform,
    part: parts.read,
    report,
    ended,
  })
  const hasRelay = relay !== undefined
  const consumers = new Consumers<AnyHandler>({
    platform,
    prefix,
    hasLog: log !== undefined,
    hasRelay,
    open: openLog,
    give: (...made) => handlers.give(dispatcher, ...made),
    part: parts.consume,
    takeTurn: (opened, consumer, lead, over) =>
      takeTurn({
        ...namedTurn(opened, name, relay?.room, consumer),
        platform,
        holder: prefix,
        lead,
        over,
        report,
      }),
    decode: (event) => dispatcher.open(event),
    isNewer: types && ((header) => types.isNewer(header)),
    isName: isHeaderText,
    assertFrom,
    onRedriven: (heard) =>
      subscriber.subscribe('$consumer.redriven', redrivenIn(heard), { kind: 'view' }),
    report,
  })
  const letters = async () =>
    (await loaded(parts.consume)).deadLettersOf({
      async open() {
        if (closed) throw closedError()
        return openLog()
      },
      decode: (event) => dispatcher.open(event),
      redriven: (names) =>
        void publisher.publishSystem('$consumer.redriven', { consumers: names }).catch(report),
    })
  const deadLetters: DeadLetters = {
    list: async (which) => (await letters()).list(which),
    redrive: async (which) => (await letters()).redrive(which),
    discard: async (which) => (await letters()).discard(which),
  }
  const give =
    (patterns: unknown, handler: AnyHandler, where?: (event: BusEvent) => boolean) => () =>
      handlers.give(dispatcher, patterns, handler, where)
  const sharing = {
    groups,
    hasRelay,
    isName: isHeaderText,
    onClose: subscriber.onClose,
    open: () => device.opening(),
  }
  const views = new Views({
    part: parts.read,
    ended,
    platform,
    open: openLog,
    hasRelay: relay !== undefined,
    decode: (event) => dispatcher.open(event),
    isNewer: types && ((header) => types.isNewer(header)),
    codec: {
      encode: encodeValue,
      decode: (text, encoding, name) => decodeValue(text, encoding, { type: name, id: 'a view' }),
    },
    leads: () => device.leader.get().self,
    report,
  })
  let closed: Promise<void> | undefined
  const inspected = new Peer({
    taps,
    prefix: composer.prefix,
    name,
    source,
    platform,
    relay,
    device,
    nameOf: deviceName,
    subscriptions: dispatcher.subscriptions,
    queued: () => pipeline.waiting,
    part: parts.inspect,
    attached: ({ askedConsumers, eventById, walk }) => ({
      asks: {
        open: openLog,
        encode: encodeValue,
        decode: (text, encoding) => decodeValue(text, encoding, { type: name, id: 'asked for' }),
        byId: (opened, id) => eventById(opened, id, hasRelay),
        walk: (opened, from) => walk(opened, from, report),
        past: (pattern, to) => bus.replay({ pattern, to, order: hasRelay ? 'room' : 'device' }),
        views: views.all,
        consumers: askedConsumers({
          open: openLog,
          deadLetters,
          consumers: () => consumers.asked,
          groups: () => groups.stats,
        }),
        subscriptions: dispatcher.subscriptions,
        limits: { events: limits.logEvents, bytes: limits.logBytes, days: limits.logDays },
        outbox: () => device.status.get().outbox,
        publish,
        again(incoming, patterns, sub) {
          const { type } = incoming.header
          if (patterns && !typeMatcher(parsePatterns(patterns))(type)) return 0
          return dispatcher.again(incoming, ({ order }) => sub === undefined || sub === order)
        },
      },
      called: (kind) => (kind === 'loop' ? bus.events : kind === 'once' ? bus.once : bus.subscribe),
    }),
    report,
  })
  const opening = (): void => {
    inspected.use()
    if (!direct) device.opening()
  }
  const use = (): void => {
    if (!closed) opening()
  }

  /** Tickets whose handlers have not settled. */
  const handling = new Set<Ticket>()

  function settleHandlers(batch: Batch): void {
    const tickets = new Set<Ticket>()
    for (const { ticket } of batch.entries) if (ticket.handled) tickets.add(ticket)
    for (const ticket of tickets) settle(ticket)
  }

  function settle(ticket: Ticket): void {
    handling.add(ticket)
    void settleHandled(ticket).then(() => handling.delete(ticket))
  }

  function publish(type: string, data?: unknown, options?: PublishOptions): Promise<BusEvent> {
    const { publishing } = middlewares
    return publishing
      ? publishAround(publishing, { ...options, type, data } as PublishedDraft)
      : send(type, data, options)
  }

  function publishAround(
    around: readonly AroundPublish[],
    draft: PublishedDraft,
  ): Promise<BusEvent> {
    const last = ({ type, data, ...rest }: PublishedDraft) => send(type, data, rest)
    const { signal } = draft
    return follow(passPublish(around, draft, last), { later, report, signal })
  }

  function send(type: string, data?: unknown, options?: PublishOptions): Promise<BusEvent> {
    if (closed) return rejectedTicket(closedError(), later, report)
    opening()
    if (direct) return directly.publish(type, data, options)
    return publisher.publish(type, data, options)
  }

  async function flush({
    until = 'logged',
    signal,
  }: {
    until?: string
    signal?: AbortSignal
  } = {}): Promise<void> {
    if (!FLUSH_LEVELS.has(until)) {
      throw new BusError('invalid_options', "flush until 'accepted', 'logged' or 'relayed'")
    }
    if (until === 'relayed' && !relay)
      throw new BusError('unreachable', "flush until 'relayed': this bus has no relay")
    const done = (async () => {
      await publisher.settled()
      if (until === 'accepted') return
      await pipeline.drained()
      if (until === 'relayed') await waiters.drained()
    })()
    if (!signal) return done
    if (signal.aborted) throw abortError(signal)
    let abort = (): void => {}
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(abortError(signal))
      signal.addEventListener('abort', abort, { once: true })
    })
    await Promise.race([done, aborted]).finally(() => signal.removeEventListener('abort', abort))
  }

  function close({ timeout = 5_000 }: { timeout?: number } = {}): Promise<void> {
    closed ??= shut(timeout)
    return closed
  }

  async function shut(timeout: number): Promise<void> {
    let cancel = (): void => {}
    const limit = new Promise<void>((resolve) => {
      cancel = platform.timer(timeout, resolve)
    })
    await Promise.race([flush(), limit])
    // First: what waited in a queue is let go of when its subscription ends, and that is no success.
    for (const ticket of handling) if (ticket.handled) ticket.reject(closedError())
    subscriber.close()
    await Promise.race([Promise.all([views.close(), consumers.close()]), limit])
    const lost = pipeline.abandon(closedError())
    if (lost > 0) report(lostError(closedError(), `the bus was closed before ${lost}`))
    waiters.abandon(closedError())
    await Promise.race([device.close(), limit])
    inspected.close()
    cancel()
  }

  async function* outbox<T>(
    state: 'pending' | 'refused',
    give: (event: BusEvent, refusal: Omit<OutboxEntry, 'event'>) => T,
  ): AsyncGenerator<T, void, void> {
    if (closed) throw closedError()
    const opened = relay && (await device.open())
    if (!opened) return
    const { outboxOf } = await loaded(parts.read)
    for await (const { event, ...refusal } of outboxOf(opened, state)) {
      const decoded = dispatcher.open(event)
      if (decoded) yield give(decoded, refusal)
    }
  }

  const bus = {
    name,
    source,
    status: statusOf(device.status, use),
    leader: observed(device.leader, use),
    presence: observed(device.presence, use),
    outbox: {
      ...part(device.status, 'outbox', use),
      pending: () => outbox('pending', (event) => event),
      refused: () => outbox('refused', (event, refusal) => ({ event, ...refusal })),
    },
    deadLetters,
    publish,
    publishBatch(
      entries: readonly ({ type: string; data?: unknown } & PublishOptions)[],
      level: PublishOptions = {},
    ) {
      if (closed) return rejectedTicket(closedError(), later, report)
      if (!Array.isArray(entries) || !entries.every((entry) => entry instanceof Object)) {
        const what = 'publishBatch takes a list of { type, data }'
        return rejectedTicket(new BusError('invalid_options', what), later, report)
      }
      const sendAll = (given: readonly PublishedDraft[]): Promise<BusEvent[]> => {
        if (closed) return rejectedTicket(closedError(), later, report)
        opening()
        const drafts: Draft[] = given.map(({ type, data, ...rest }) => ({
          type,
          data,
          options: rest,
        }))
        return (direct ? directly : publisher).publishBatch(drafts, level)
      }
      const { publishing } = middlewares
      if (!publishing) return sendAll(entries as readonly PublishedDraft[])
      const drafts = entries.map((entry) => ({ ...entry }) as PublishedDraft)
      const { signal } = level
      return follow(passAll(publishing, drafts, sendAll), { later, report, signal })
    },
    publishError(error: unknown, options?: PublishErrorOptions) {
      if (closed) return rejectedTicket(closedError(), later, report)
      opening()
      const data = errorData(error, options)
      return (direct ? directly : publisher).publishSystem('$error', data, errorOptions(options))
    },
    subscribe(
      patterns: string,
      handler: AnyHandler,
      options: SubscribeOptions<BusEvent> | DurableOptions<BusEvent> | GroupOptions<BusEvent> = {},
    ) {
      if ('durable' in options && options.durable !== undefined) {
        if ('group' in options && options.group !== undefined) throw eitherOr()
        if (closed) throw closedError()
        const end = consumers.subscribe(patterns, handler, options)
        inspected.use()
        return unsubscriber(end)
      }
      inspected.use()
      if ('group' in options && options.group !== undefined) {
        return unsubscriber(
          subscribeGroup(options, give(patterns, handler, options.where), sharing),
        )
      }
      const { signal, from, where, ...handling } = options
      return unsubscriber(
        subscriber.subscribe(patterns, handler, { signal, from, where, handling }),
      )
    },
    once(patterns: string, { where, signal }: ListenOptions<BusEvent> = {}) {
      inspected.use()
      const options = { where, kind: 'once' } as const
      return nextEvent(
        (handler, failed) => subscriber.subscribe(patterns, handler, { ...options, failed }),
        { signal, onClose: subscriber.onClose, abortError },
      )
    },
    events(patterns: string, options: EventsOptions<BusEvent> = {}) {
      inspected.use()
      const { where, from, signal, buffer = 1_000, overflow = 'error' } = options
      const about = { where, from, kind: 'loop' } as const
      return iterate(
        (handler, failed) => subscriber.subscribe(patterns, handler, { ...about, failed }),
        {
          signal,
          buffer,
          overflow,
          report,
          dropped: ({ id }) => taps.tap?.dropped([id], 'overflow'),
          onClose: subscriber.onClose,
        },
      )
    },
    replay: (options: ReplayOptions<string> = {}) =>
      lateReplay(
        options,
        {
          platform,
          open: openLog,
          hasLog: log !== undefined,
          hasRelay,
          hears: dispatcher.subscriptions.hears,
          decode: (event) => dispatcher.open(event),
          onClose: subscriber.onClose,
          report,
        },
        parts.read,
      ),
    project(patterns: string, reducer: unknown, initial: unknown, options: ProjectOptions = {}) {
      if (closed) throw closedError()
      if (!log) throw unreadable()
      inspected.use()
      const view = views.project(patterns, reducer, initial, options)
      taps.tap?.viewed(view)
      const close = (): void => views.end(view)
      return {
        ready: view.ready,
        get: () => view.get(),
        subscribe: (callback: (state: unknown) => void) => unsubscriber(view.subscribe(callback)),
        close,
        [Symbol.dispose]: close,
      }
    },
    async loadStream(stream: string, { fromRevision = 1 }: { fromRevision?: number } = {}) {
      if (closed) throw closedError()
      if (!isHeaderText(stream)) throw new BusError('invalid_options', 'loadStream: give a stream')
      const { fromRevisionOn, streamEvents, withLog } = await loaded(parts.read)
      const events = await withLog(openLog, (opened) =>
        streamEvents(opened, stream, hasRelay, report),
      )
      return fromRevisionOn(events, fromRevision).flatMap((event) => dispatcher.open(event) ?? [])
    },
    async get(id: string) {
      if (closed) throw closedError()
      const opened = direct ? undefined : await device.open()
      const found = opened && (await (await loaded(parts.read)).eventById(opened, id, hasRelay))
      return found && dispatcher.open(found)
    },
    async request(type: string, data?: unknown, options: RequestOptions = {}) {
      use()
      return device.requests.request(type, data, options)
    },
    respond(type: string, responder: Responder) {
      use()
      return unsubscriber(device.requests.respond(type, responder))
    },
    async ping(options: RequestOptions = {}) {
      if (!relay) throw new BusError('unreachable', 'ping: this bus has no relay')
      use()
      return device.requests.ping(options)
    },
    use: (middleware: Middleware) => unsubscriber(middlewares.use(middleware)),
    stats: () => ({
      ...dispatcher.stats.snapshot(dispatcher.subscriptions, pipeline.waiting),
      consumers: consumers.stats,
      groups: groups.stats,
    }),
    hasSubscribers: (type: string) => dispatcher.subscriptions.of(type).length > 0,
    flush,
    async clear() {
      if (closed) throw closedError()
      if (!direct) await device.clear()
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  }
  handlers.publish = publish
  inspectable.set(bus, inspected)
  return bus as unknown as Bus<Record<string, unknown>>
}

function redrivenIn(heard: (consumers: readonly string[]) => void): AnyHandler {
  return ({ data }) => heard((data as SystemEvents['$consumer.redriven']).consumers)
}

const FLUSH_LEVELS: ReadonlySet<unknown> = new Set(['accepted', 'logged', 'relayed'])

function eitherOr(): BusError {
  const what = 'subscribe: durable is of a device, group of a room: give one of them'
  return new BusError('invalid_options', what, { stage: 'consume' })
}

function lostError({ code }: BusError, what: string): BusError {
  return new BusError(code, `${what} event(s) that nobody waited for were written`)
}

function closedError(): BusError {
  return new BusError('closed', 'the bus was closed')
}
