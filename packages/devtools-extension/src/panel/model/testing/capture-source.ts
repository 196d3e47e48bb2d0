/** Plays a capture as taps would: on `attach`, from a number on, and no faster than is granted. */
import {
  type Ask,
  INSPECT_VERSION,
  type InspectorFrame,
  type PeerId,
  type Tree,
} from '@crosstown/bus/inspect'
import type { InspectSource, SourceSink } from '../../../sources/source.ts'
import type { Capture } from './capture.ts'
import { CASTS, ROOM } from './shop.ts'

export interface CaptureSourceOptions {
  /** @default 'this page' */
  readonly label?: string
  /** @default 'page' */
  readonly kind?: InspectSource['kind']
  /**
   * Plays in the time it took, this much faster, and from the present moment on: frames' clocks are
   * moved. Absent: all at once.
   */
  readonly speed?: number
  /** Only these peers are heard through it. @default all */
  readonly peers?: (peer: PeerId) => boolean
}

/**
 * The capture as a panel hears it: the laptop's contexts through the page, all others through the
 * relay.
 */
export function captureSources(capture: Capture, speed?: number): CaptureSource[] {
  const laptop = new Set(CASTS.filter(({ device }) => device === 'laptop').map(({ peer }) => peer))
  const timed = speed === undefined ? {} : { speed }
  return [
    new CaptureSource(capture, { ...timed, peers: (peer) => laptop.has(peer) }),
    new CaptureSource(capture, {
      ...timed,
      kind: 'relay',
      label: `relay 127.0.0.1:8787/${ROOM}`,
      peers: (peer) => !laptop.has(peer),
    }),
  ]
}

/** A source for tests, pictures and the demo page. */
export class CaptureSource implements InspectSource {
  readonly label: string
  readonly kind: InspectSource['kind']
  /** Everything the inspector sent. */
  readonly sent: InspectorFrame[] = []
  readonly #start: number
  readonly #frames: Capture['frames'][number][]
  readonly #peers: readonly PeerId[]
  readonly #speed: number | undefined
  #sink: SourceSink | undefined
  #next = 0
  readonly #credit = new Map<PeerId, number>()
  #attached = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #began = 0
  #pumping = false

  constructor(
    capture: Capture,
    { label = 'this page', kind = 'page', speed, peers = () => true }: CaptureSourceOptions = {},
  ) {
    this.#start = capture.start
    this.#frames = capture.frames.filter(({ peer }) => peers(peer))
    this.#peers = [...new Set(this.#frames.map(({ peer }) => peer))]
    this.label = label
    this.kind = kind
    this.#speed = speed
  }

  start(sink: SourceSink): void {
    this.#sink = sink
    this.#began = Date.now()
    sink.state('open')
  }

  send(text: string): void {
    const frame = JSON.parse(text) as InspectorFrame
    this.sent.push(frame)
    switch (frame.frame) {
      case 'attach':
        if (frame.to === undefined)
          for (const peer of this.#peers) this.#credit.set(peer, frame.credit)
        this.#attached = true
        break
      case 'grant':
        for (const peer of frame.to === undefined ? this.#credit.keys() : [frame.to])
          this.#credit.set(peer, (this.#credit.get(peer) ?? 0) + frame.credit)
        break
      case 'detach':
        this.#attached = false
        return
      case 'ask':
        this.#answer(frame.session, frame.to, frame.id, frame.ask)
        return
    }
    this.#pump()
  }

  close(): void {
    this.#sink = undefined
    clearTimeout(this.#timer)
  }

  /** Whether all of it was heard. */
  get done(): boolean {
    return this.#next === this.#frames.length
  }

  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    const frames = this.#frames
    while (this.#sink && this.#attached && this.#next < frames.length) {
      const { at, peer, text } = frames[this.#next]!
      if (this.#speed !== undefined) {
        const wait = at / this.#speed - (Date.now() - this.#began)
        if (wait > 0) {
          clearTimeout(this.#timer)
          this.#timer = setTimeout(() => this.#pump(), wait)
          break
        }
      }
      if (text.includes('"frame":"batch"')) {
        const credit = this.#credit.get(peer) ?? 0
        if (credit === 0) break
        this.#credit.set(peer, credit - 1)
      }
      if (this.#next === 0) performance.mark('capture: first frame')
      if (this.#next === frames.length - 1) performance.mark('capture: last frame')
      // What was given is not kept: whoever measures memory measures the panel's.
      this.#frames[this.#next++] = { at, peer, text: '' }
      this.#sink.frame(this.#speed === undefined ? text : this.#moved(text))
    }
    this.#pumping = false
  }

  /** As if it were written now. */
  #moved(text: string): string {
    if (!text.includes('"frame":"hello"')) return text
    const hello = JSON.parse(text) as { now: [number, number] }
    const [wall, monotonic] = hello.now
    return JSON.stringify({ ...hello, now: [wall - this.#start + this.#began, monotonic] })
  }

  #answer(session: string, peer: PeerId, id: number, ask: Ask): void {
    const answer = (rest: object) =>
      this.#sink?.frame(
        JSON.stringify({ inspect: INSPECT_VERSION, frame: 'answer', peer, session, id, ...rest }),
      )
    if (ask.what === 'payload') answer({ result: payloadOf(ask.event) })
    else if (ask.what === 'headers') answer({ result: { events: [], missing: ask.ids } })
    else if (ask.what === 'fault') answer({ result: { fault: null } })
    else if (ask.what === 'search') answer({ result: { ids: [], searched: 0 } })
    else if (ask.what === 'watch') answer({ result: {} })
    else answer({ error: { code: 'not_found', message: 'this is a recording' } })
  }
}

function payloadOf(id: string): Tree {
  const number = Number(id.slice(id.lastIndexOf('-') + 1))
  return {
    type: 'object',
    preview: `{ sku: "A${number % 90}", quantity: ${(number % 3) + 1}, at: Date }`,
    size: 3,
    bytes: 64,
    encoding: 'devalue',
    children: [
      ['sku', { type: 'string', preview: `"A${number % 90}"` }],
      ['quantity', { type: 'number', preview: String((number % 3) + 1) }],
      ['at', { type: 'date', preview: '2026-01-15T09:00:00.000Z' }],
    ],
  }
}
