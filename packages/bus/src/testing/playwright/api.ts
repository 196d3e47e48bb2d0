/** What a test sees of a device. */
import type { BrowserContext, Page } from '@playwright/test'
import type { BusEvent } from '../../event.ts'
import type { Matching, PatternOf, Patterns, PublishArguments, TypeOf } from '../../types.ts'

/** An event as it was recorded. */
export type RecordedEvent<Type extends string = string, Data = unknown> = BusEvent<Type, Data> & {
  /** Whether it was published on this device, or came from another one. */
  readonly origin: 'device' | 'room'
}

/** Something that went wrong in a bus: what its `onError` was told, and handlers that failed. */
export interface RecordedError {
  readonly code: string
  readonly message: string
  readonly stage: string
  /** Of the bus: its `source`. */
  readonly source: string
  readonly type?: string
}

/** The recorded events that a pattern stands for. */
export type Recorded<Events extends object, Pattern extends string> =
  Matching<Events, Pattern> extends infer Type extends string
    ? Type extends TypeOf<Events>
      ? RecordedEvent<Type, Events[Type]>
      : RecordedEvent<Type>
    : never

export interface ExpectOptions<Event> {
  /** Only events for which this returns true. */
  readonly where?: ((event: Event) => boolean) | undefined
  /** The so-manieth of them, those that are recorded already counted. @default 1 */
  readonly count?: number | undefined
  /** Milliseconds. @default that of `crosstownOptions`, 5000 */
  readonly timeout?: number | undefined
}

export interface PublishInPageOptions {
  readonly stream?: string
  readonly scope?: 'context' | 'device' | 'room'
  readonly persist?: boolean
  readonly correlationId?: string
  readonly causationId?: string
  /** Name of the bus, where the device has several. */
  readonly bus?: string
  /** Milliseconds to wait for a bus that can be published on. @default as for `expectEvent` */
  readonly timeout?: number
}

/** A browser context and all the buses in it: of its pages, frames, workers and service workers. */
export interface Device<Events extends object = Record<string, unknown>> {
  readonly name: string
  readonly context: BrowserContext

  /** Opens a page, at an address where one is given. */
  newPage(url?: string): Promise<Page>

  /**
   * What was published on this device, or came to it, since the test began: all of it up to now, in
   * the order in which it was told.
   *
   * @example expect(await crosstown.events('cart.*')).toHaveLength(2)
   */
  events<const Pattern extends PatternOf<Events> = '**'>(
    pattern?: Patterns<Pattern>,
  ): Promise<Recorded<Events, Pattern>[]>

  /** How many those are; of very many events it is sooner had than they are, with their data. */
  count<const Pattern extends PatternOf<Events> = '**'>(
    pattern?: Patterns<Pattern>,
  ): Promise<number>

  /**
   * The event that is waited for: at once where it was recorded already. On another device than the
   * one that publishes it, it is there once it has arrived.
   *
   * @throws {Error} not within `timeout`; says what was recorded instead
   * @example await crosstown.expectEvent('order.placed', { where: ({ data }) => data.total === 12 })
   */
  expectEvent<const Pattern extends PatternOf<Events>>(
    pattern: Patterns<Pattern>,
    options?: ExpectOptions<Recorded<Events, Pattern>>,
  ): Promise<Recorded<Events, Pattern>>

  /**
   * Publishes through a bus of the device, as if the page had done it; its metadata says
   * `inspector: true`.
   *
   * @throws {Error} no bus is there in time, there are several, or it refused the event
   */
  publish<const Type extends TypeOf<Events>>(
    type: Type,
    ...rest: PublishArguments<Events[Type], PublishInPageOptions>
  ): Promise<RecordedEvent<Type, Events[Type]>>

  /**
   * Cuts the device off: its network, and the relay connections that its buses have. It is done when
   * it resolves, and holds for ten minutes at most.
   *
   * @param options.except addresses, as for `context.route`, that the test still answers, asking their
   *   server itself: of the pages, where no service worker has them
   */
  offline(options?: { readonly except?: string | RegExp | undefined }): Promise<void>
  /** Ends `offline`. Buses connect again by themselves, which this does not wait for. */
  online(): Promise<void>

  /** What went wrong in its buses so far: handlers that failed, and what `onError` was told. */
  errors(): Promise<readonly RecordedError[]>
}
