/** What was heard of all devices of a test, as lines of a session file. */

import type { InspectedEvent, PeerId } from '../../inspect/frames.ts'
import { type PayloadLine, sessionHead } from '../../inspect/session-file.ts'
import { openTree } from '../../inspect/tree.ts'

/** Characters that are kept: what came first goes first. */
const MAX_LENGTH = 64 * 1024 * 1024
/** Levels of data that are written. */
const DEPTH = 6

export class TestSession {
  #frames: string[] = []
  /** Frames before it are gone. */
  #first = 0
  #length = 0
  readonly #payloads = new Map<string, string>()

  /** A frame of a tap, as it came. */
  frame(text: string): void {
    this.#frames.push(text)
    this.#length += text.length
    while (this.#length > MAX_LENGTH) this.#length -= this.#frames[this.#first++]?.length ?? 0
    if (this.#first * 2 < this.#frames.length) return
    this.#frames = this.#frames.slice(this.#first)
    this.#first = 0
  }

  /** Envelopes that no tap told by itself. */
  envelopes(events: readonly InspectedEvent[]): void {
    this.frame(JSON.stringify({ frame: 'events', events }))
  }

  payload(
    peer: PeerId,
    event: string,
    data: unknown,
    written: { readonly text?: string; readonly encoding?: 'devalue' },
  ): void {
    const tree = openTree(data, { depth: DEPTH })
    const line: PayloadLine = { frame: 'payload', peer, event, tree, ...written }
    const text = JSON.stringify(line)
    this.#length += text.length
    this.#payloads.set(event, text)
  }

  /** The file. @param label shown where it is opened */
  text(label: string, at: number): string {
    const head = JSON.stringify(sessionHead({ at, label }))
    return `${[head, ...this.#frames.slice(this.#first), ...this.#payloads.values()].join('\n')}\n`
  }
}
