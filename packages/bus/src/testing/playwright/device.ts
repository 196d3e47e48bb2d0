/** A browser context under test as one device: what its buses publish and hear, and its faults. */
import { randomUUID } from 'node:crypto'
import type { BrowserContext, Frame, Page, Request, Route } from '@playwright/test'
import { encodeValue } from '../../codec/codec.ts'
import { type Ask, INSPECT_CHANNEL, INSPECT_VERSION, INSPECTED_KEY } from '../../inspect/frames.ts'
import { runtimePlatform } from '../../platform.ts'
import { parsePatterns, typeMatcher } from '../../protocol/pattern.ts'
import type { Patterns } from '../../types.ts'
import type {
  Device,
  ExpectOptions,
  PublishInPageOptions,
  RecordedError,
  RecordedEvent,
} from './api.ts'
import { pipeScript } from './pipe.ts'
import type { Carrier } from './questions.ts'
import { type HeardPeer, Recorder } from './recorder.ts'
import type { TestSession } from './session.ts'

export interface DeviceOptions {
  readonly name: string
  readonly context: BrowserContext
  readonly written: TestSession
  readonly timeout: number
}

const HEAR = '__crosstownHear'
const SEND = '__crosstownSend'
/** How long a page may take to take a call, before another is tried. */
const CALL_MS = 2_000
/** While an event is waited for, everyone is asked for what was not sent yet. */
const LOOK_MS = 250
/** The longest a fault can be in force. */
const FAULT_MS = 600_000
const CUT: Ask = { what: 'fault', set: { link: 'relay', do: 'cut', forMs: FAULT_MS } }
const MENDED: Ask = { what: 'fault', set: null }
/** Events that an expectation tells of when it fails. */
const TOLD = 5

const clock = runtimePlatform()

export class RecordedDevice implements Device {
  readonly name: string
  readonly context: BrowserContext
  readonly recorder: Recorder
  readonly #timeout: number
  readonly #session: string = `test-${randomUUID()}`
  readonly #carriers = new WeakMap<Frame, Carrier>()
  /** What is answered by the test while the device is offline. */
  #answered: string | RegExp | undefined

  constructor({ name, context, written, timeout }: DeviceOptions) {
    this.name = name
    this.context = context
    this.#timeout = timeout
    this.recorder = new Recorder({ session: this.#session, clock, written })
  }

  /** Records from now on, also in pages that are open. */
  async record(): Promise<void> {
    const { context, recorder } = this
    await context.exposeBinding(HEAR, ({ frame }, texts?: readonly string[]) => {
      for (const text of texts ?? []) recorder.hear(this.#carrier(frame), text)
      return texts ? undefined : recorder.resume
    })
    const script = pipeScript({
      channel: INSPECT_CHANNEL,
      inspected: INSPECTED_KEY,
      version: INSPECT_VERSION,
      session: this.#session,
      hear: HEAR,
      send: SEND,
    })
    await context.addInitScript(script)
    const frames = context.pages().flatMap((page) => page.frames())
    await Promise.all(frames.map((frame) => within(CALL_MS, frame.evaluate(script))))
  }

  #carrier(frame: Frame): Carrier {
    const known = this.#carriers.get(frame)
    if (known) return known
    const carrier: Carrier = {
      async send(texts) {
        if (frame.isDetached() || frame.page().isClosed()) return false
        const call = `globalThis.${SEND}?.(${JSON.stringify(texts)})`
        return (await within(CALL_MS, frame.evaluate<boolean | undefined>(call))) ?? false
      },
    }
    this.#carriers.set(frame, carrier)
    return carrier
  }

  async newPage(url?: string): Promise<Page> {
    const page = await this.context.newPage()
    if (url !== undefined) await page.goto(url)
    return page
  }

  async events(patterns: Patterns<string> = '**'): Promise<never[]> {
    const matches = typeMatcher(parsePatterns(patterns))
    await this.recorder.settle()
    return (await this.recorder.events(matches)) as never[]
  }

  async count(patterns: Patterns<string> = '**'): Promise<number> {
    const matches = typeMatcher(parsePatterns(patterns))
    await this.recorder.settle()
    let sum = 0
    for (const [type, count] of this.recorder.counts) if (matches(type)) sum += count
    return sum
  }

  async errors(): Promise<readonly RecordedError[]> {
    await this.recorder.settle()
    return [...this.recorder.errors]
  }

  async expectEvent(
    patterns: Patterns<string>,
    options: ExpectOptions<RecordedEvent> = {},
  ): Promise<never> {
    const { where = () => true, count = 1, timeout = this.#timeout } = options
    const end = clock.monotonic() + timeout
    for (;;) {
      const events: RecordedEvent[] = await this.events(patterns)
      const found = events.filter(where)[count - 1]
      if (found) return found as never
      const left = end - clock.monotonic()
      if (left <= 0) throw this.#missing(patterns, events, options)
      await this.recorder.change(Math.min(LOOK_MS, left))
    }
  }

  #missing(
    patterns: Patterns<string>,
    events: readonly RecordedEvent[],
    { where, count = 1, timeout = this.#timeout }: ExpectOptions<RecordedEvent>,
  ): Error {
    const wanted = `${count > 1 ? `${count} × ` : ''}${[patterns].flat().join(', ')}`
    const told = events
      .slice(-TOLD)
      .map(({ type, source, data }) => `  ${type} of ${source}: ${JSON.stringify(data)}`)
    const { counts, peers } = this.recorder
    const lines = [
      `${this.name} has not recorded ${wanted}${where ? ' where it was asked for' : ''} within ${timeout} ms.`,
      ...(told.length > 0 ? [`Recorded, the last of ${events.length}:`, ...told] : []),
      counts.size > 0
        ? `All: ${[...counts].map(([type, count]) => `${type} × ${count}`).join(', ')}`
        : `Nothing was recorded, of ${peers.size} buses.`,
    ]
    return new Error(lines.join('\n'))
  }

  async publish(
    type: string,
    data?: unknown,
    { bus, timeout = this.#timeout, ...options }: PublishInPageOptions = {},
  ): Promise<never> {
    const peer = await this.#publisher(bus, timeout)
    const { text, encoding } = encodeValue(data, type)
    const written = { data: text, ...(encoding && { encoding }) }
    const { id } = await this.recorder.ask(peer, { what: 'publish', type, ...written, options })
    return this.expectEvent(type, { where: (event) => event.id === id, timeout })
  }

  async #publisher(bus: string | undefined, timeout: number): Promise<HeardPeer> {
    const end = clock.monotonic() + timeout
    for (;;) {
      const able = this.recorder.living.filter(
        ({ hello }) => bus === undefined || hello.bus === bus,
      )
      const names = [...new Set(able.map(({ hello }) => hello.bus))]
      if (names.length > 1)
        throw new Error(`${this.name} has several buses, say which: { bus: '${names[0]}' }`)
      if (able[0]) return able[0]
      const left = end - clock.monotonic()
      if (left <= 0)
        throw new Error(`${this.name} has no bus${bus ? ` named ${bus}` : ''} to publish on`)
      await this.recorder.change(left)
    }
  }

  async offline({ except }: { readonly except?: string | RegExp | undefined } = {}): Promise<void> {
    this.recorder.standing = CUT
    await this.#answerNothing()
    this.#answered = except
    if (except !== undefined) await this.context.route(except, answer)
    await this.context.setOffline(true)
    await this.#tell(CUT)
    const end = clock.monotonic() + this.#timeout
    while (this.recorder.living.some(({ status }) => status.relay === 'online')) {
      const left = end - clock.monotonic()
      if (left <= 0) throw new Error(`${this.name} is still connected to its relay`)
      await this.recorder.change(left)
    }
  }

  async online(): Promise<void> {
    this.recorder.standing = undefined
    await this.#answerNothing()
    await this.context.setOffline(false)
    await this.#tell(MENDED)
  }

  async #answerNothing(): Promise<void> {
    if (this.#answered !== undefined) await this.context.unroute(this.#answered, answer)
    this.#answered = undefined
  }

  async #tell(ask: Ask): Promise<void> {
    await Promise.all(
      this.recorder.living.map((peer) => this.recorder.ask(peer, ask).catch(() => undefined)),
    )
  }
}

/** Headers of a body that is decoded by now. */
const OF_ENCODING: ReadonlySet<string> = new Set(['content-encoding', 'content-length'])

/** Answers a request of a page with what its server answers to the test. */
async function answer(route: Route, request: Request): Promise<void> {
  const given = await fetch(request.url(), {
    method: request.method(),
    headers: request.headers(),
    body: request.postDataBuffer() as BodyInit | null,
  })
  const headers = [...given.headers].filter(([name]) => !OF_ENCODING.has(name))
  await route.fulfill({
    status: given.status,
    headers: Object.fromEntries(headers),
    body: Buffer.from(await given.arrayBuffer()),
  })
}

/** What comes of it, or `undefined` where it fails, or takes too long. */
export async function within<T>(ms: number, call: Promise<T>): Promise<T | undefined> {
  const given = call.catch(() => undefined)
  let cancel = (): void => {}
  const late = new Promise<undefined>((resolve) => {
    cancel = clock.timer(ms, () => resolve(undefined))
  })
  return Promise.race([given, late]).finally(cancel)
}
