/** Gives the frames of a capture when it is told to. */
import type { InspectSource, SourceSink } from '../../../sources/source.ts'
import type { Capture } from './capture.ts'

export class StepSource implements InspectSource {
  readonly label = 'steps'
  readonly kind = 'page'
  readonly #capture: Capture
  #sink: SourceSink | undefined
  #next = 0

  constructor(capture: Capture) {
    this.#capture = capture
  }

  start(sink: SourceSink): void {
    this.#sink = sink
    sink.state('open')
  }

  send(): void {}

  close(): void {
    this.#sink = undefined
  }

  /** So many frames more; `false` where there are none. */
  step(frames: number): boolean {
    const some = this.#capture.frames.slice(this.#next, this.#next + frames)
    this.#next += some.length
    for (const { text } of some) this.#sink?.frame(text)
    return some.length > 0
  }
}
