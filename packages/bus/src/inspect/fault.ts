/**
 * Faults that an inspector asks for: what goes over a link is dropped, delayed or doubled for a
 * while, or the relay is not to be had. In come texts on their way, out they go, or not.
 */
import type { Platform } from '../platform.ts'
import { typeMatcher } from '../protocol/pattern.ts'
import type { Fault } from './frames.ts'
import type { Gate, TapHolder } from './tap.ts'

/** An event's header in a text, as all of ours begin. */
const EVENT = /\{"id":"([^"\\]+)","type":"([^"\\]+)"/g

export class Faults {
  readonly #taps: TapHolder
  readonly #platform: Platform
  #fault: Fault | null = null
  #cancel: (() => void) | undefined

  constructor(taps: TapHolder, platform: Platform) {
    this.#taps = taps
    this.#platform = platform
  }

  get fault(): Fault | null {
    return this.#fault
  }

  /** Puts a fault in force in place of the one there is, or none. */
  set(fault: Fault | null): void {
    const before = this.#fault
    this.#cancel?.()
    this.#cancel = undefined
    this.#fault = fault
    this.#taps.gate = fault ? this.#gateOf(fault) : undefined
    if (fault) this.#cancel = this.#platform.timer(fault.forMs, () => this.set(null))
    // Who is cut off notices at once; and what was lost on the way is found out by a new hello.
    const cut = fault?.link === 'relay' && fault.do === 'cut'
    if (cut || before?.link === 'relay') this.#taps.relay?.reconnect()
  }

  #gateOf({ link, do: what, patterns, share = 1, delayMs = 1_000 }: Fault): Gate {
    const matches = patterns && typeMatcher(patterns)
    return (way, text, go) => {
      const found = way === link ? [...text.matchAll(EVENT)] : []
      const concerned = matches ? found.some(([, , type]) => matches(type as string)) : way === link
      if (!concerned || this.#platform.random() >= share) go(text)
      else if (what === 'drop' || what === 'cut') {
        if (found.length > 0)
          this.#taps.tap?.dropped(
            found.map(([, id]) => id as string),
            'fault',
          )
      } else if (found.length === 0) go(text)
      else if (what === 'delay') this.#platform.timer(delayMs, () => go(text))
      else {
        go(text)
        go(text)
      }
    }
  }
}
