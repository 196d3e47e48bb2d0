/** Questions that wait for their answers. */
import type { AnswerFrame, Ask, PeerId } from '@crosstown/bus/inspect'
import { readAnswer } from '../../frames/answers.ts'
import { Fault } from '../../frames/reader.ts'
import type { Timing } from './timing.ts'

/** Why a question has no answer. */
export class InspectError extends Error {
  override readonly name = 'InspectError'
  /**
   * What a tap said (a code of the bus), or `timeout`, `aborted`, `closed`, `unreachable` (no way to the
   * peer, or it is gone), `bad_frame` (an answer that cannot be read).
   */
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

interface Waiting {
  readonly peer: PeerId
  readonly what: Ask['what']
  readonly parts: unknown[]
  readonly onPart: ((part: unknown) => void) | undefined
  settle(outcome: { readonly value: unknown } | { readonly error: InspectError }): void
  /** Begins the time limit anew. */
  renew(): void
}

const TIMEOUT_MS = 10_000
/** A search reads a whole log between two parts. */
const SEARCH_TIMEOUT_MS = 60_000

export class Asks {
  readonly #timing: Timing
  readonly #waiting = new Map<number, Waiting>()
  #last = 0

  constructor(timing: Timing) {
    this.#timing = timing
  }

  /** `send` gets the number of the question. */
  ask(
    peer: PeerId,
    ask: Ask,
    { signal, onPart }: { signal?: AbortSignal; onPart?: (part: unknown) => void },
    send: (id: number) => void,
  ): Promise<unknown> {
    const id = ++this.#last
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(aborted())
        return
      }
      const limit = ask.what === 'search' || ask.what === 'replay' ? SEARCH_TIMEOUT_MS : TIMEOUT_MS
      let cancel = () => {}
      const settle: Waiting['settle'] = (outcome) => {
        cancel()
        signal?.removeEventListener('abort', onAbort)
        this.#waiting.delete(id)
        if ('error' in outcome) reject(outcome.error)
        else resolve(outcome.value)
      }
      const renew = () => {
        cancel()
        cancel = this.#timing.later(limit, () =>
          settle({
            error: new InspectError('timeout', `no answer after ${Math.round(limit / 1_000)} s`),
          }),
        )
      }
      const onAbort = () => settle({ error: aborted() })
      signal?.addEventListener('abort', onAbort)
      this.#waiting.set(id, { peer, what: ask.what, parts: [], onPart, settle, renew })
      renew()
      send(id)
    })
  }

  /** Whether the answer was to a question that waits. @throws {Fault} it cannot be read */
  answer(frame: AnswerFrame): boolean {
    const waiting = this.#waiting.get(frame.id)
    if (!waiting || waiting.peer !== frame.peer) return false
    if (frame.error) {
      waiting.settle({ error: new InspectError(frame.error.code, frame.error.message) })
      return true
    }
    let part: unknown
    try {
      part = readAnswer(waiting.what, frame.result)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      const text = `the answer cannot be read: ${error.text}`
      waiting.settle({ error: new InspectError('bad_frame', text) })
      throw error
    }
    waiting.onPart?.(part)
    waiting.parts.push(part)
    if (frame.more) waiting.renew()
    else waiting.settle({ value: joined(waiting.what, waiting.parts) })
    return true
  }

  /** Nobody will answer any more. */
  fail(peer: PeerId | undefined, code: string, message: string): void {
    for (const waiting of [...this.#waiting.values()]) {
      if (peer === undefined || waiting.peer === peer)
        waiting.settle({ error: new InspectError(code, message) })
    }
  }
}

/** The parts of one answer as one. */
function joined(what: Ask['what'], parts: readonly unknown[]): unknown {
  if (parts.length === 1) return parts[0]
  if (what === 'search') {
    const found = parts as readonly { ids: readonly string[]; searched: number }[]
    return {
      ids: found.flatMap(({ ids }) => ids),
      searched: Math.max(...found.map(({ searched }) => searched)),
    }
  }
  if (what === 'headers') {
    const told = parts as readonly { events: readonly unknown[]; missing: readonly unknown[] }[]
    return {
      events: told.flatMap(({ events }) => events),
      missing: told.flatMap(({ missing }) => missing),
    }
  }
  return parts.at(-1)
}

function aborted(): InspectError {
  return new InspectError('aborted', 'the question was given up')
}
