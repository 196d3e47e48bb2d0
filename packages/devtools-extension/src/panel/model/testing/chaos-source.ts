/** Taps behind a bad way: frames come twice, late, out of order or never; what is asked for comes again. */
import type { BatchFrame, HelloFrame, InspectorFrame, PeerId } from '@crosstown/bus/inspect'
import type { InspectSource, SourceSink } from '../../../sources/source.ts'
import type { Capture } from './capture.ts'
import { Random } from './random.ts'

interface Tap {
  readonly hello: HelloFrame
  readonly batches: readonly BatchFrame[]
}

export class ChaosSource implements InspectSource {
  readonly label: string
  readonly kind: InspectSource['kind']
  readonly #taps = new Map<PeerId, Tap>()
  readonly #random: Random
  /** Frames on their way. */
  #way: string[] = []
  #sink: SourceSink | undefined
  /** How often frames are lost yet: a way that never works proves nothing. */
  #losses: number

  constructor(capture: Capture, seed: number, label: string, kind: InspectSource['kind'] = 'page') {
    this.label = label
    this.kind = kind
    this.#random = new Random(seed)
    this.#losses = 25
    for (const { peer, text } of capture.frames) {
      const frame = JSON.parse(text) as HelloFrame | BatchFrame
      if (frame.frame === 'hello') this.#taps.set(peer, { hello: frame, batches: [] })
      else {
        const tap = this.#taps.get(peer)!
        this.#taps.set(peer, { ...tap, batches: [...tap.batches, frame] })
      }
    }
  }

  start(sink: SourceSink): void {
    this.#sink = sink
    sink.state('open')
  }

  send(text: string): void {
    const frame = JSON.parse(text) as InspectorFrame
    if (frame.frame !== 'attach') return
    for (const [peer, { hello, batches }] of this.#taps) {
      if (frame.to !== undefined && frame.to !== peer) continue
      const from = frame.resume?.[peer] ?? 0
      this.#post(JSON.stringify(hello))
      for (const batch of batches) {
        if (batch.first + batch.records.length > from) this.#post(JSON.stringify(batch))
      }
    }
  }

  close(): void {
    this.#sink = undefined
  }

  /** Frames on their way arrive, some of them first; `false` where none is. */
  arrive(): boolean {
    if (this.#way.length === 0) return false
    // Mostly in order, as ways are.
    const at = this.#random.chance(0.2) ? this.#random.whole(0, this.#way.length - 1) : 0
    const [text] = this.#way.splice(at, 1)
    this.#sink?.frame(text!)
    return true
  }

  /** Breaks, and can be spoken to again. */
  reconnect(): void {
    this.#way = []
    this.#sink?.state('reconnecting')
    this.#sink?.state('open')
  }

  /** Nothing is lost from now on; what was lost last shows when it is spoken to anew. */
  heal(): void {
    this.#losses = 0
    this.reconnect()
  }

  #post(text: string): void {
    const fate = this.#random.next()
    if (fate < 0.15 && this.#losses > 0) {
      this.#losses--
      return
    }
    this.#way.push(text)
    if (fate > 0.85) this.#way.push(text)
  }
}
