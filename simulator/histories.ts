// Writers and readers of streams by HTTP: what they asked and were told, at whichever node of the relay.
import type { TestNetwork } from '@crosstown/bus/testing'
import { type Expectation, StreamHistory } from '@crosstown/edge-relay/testing'
import type { Work } from './actions.ts'
import type { Ledger } from './ledger.ts'
import { PRISTINE, ROOM } from './place.ts'

/** When one that got no answer asks again, in virtual milliseconds. */
const AGAIN_MS = 500
const TYPE = 'fact.put'

type Of<Name extends Work['do']> = Extract<Work, { do: Name }>

export class Histories {
  readonly history: StreamHistory = new StreamHistory()
  readonly #network: TestNetwork
  readonly #ledger: Ledger
  /** Newest revision that anybody was told: nobody expects what is not there yet. */
  readonly #known = new Map<string, number>()
  #clients = 0

  constructor(network: TestNetwork, ledger: Ledger) {
    this.#network = network
    this.#ledger = ledger
  }

  /** Resolves when it has its answer, or does not wait for it any more. */
  async put({ count, expects, once, stream }: Of<'put'>): Promise<void> {
    const post = this.#ledger.post(count)
    const first = expects === 'known' ? (this.#known.get(stream) ?? 0) : expects
    const events = post.keys.map((id, i) => ({ id, stream, expects: after(first, i) }))
    const body = events.map(({ id, expects: expectedRevision }) => ({
      type: TYPE,
      id,
      stream,
      expectedRevision,
      data: { key: id, persist: true, mark: PRISTINE },
    }))
    const answered = this.history.call(this.#client(), { publish: events })
    for (;;) {
      try {
        post.events = await this.#network.relay.post(ROOM, body)
        post.state = 'taken'
        const revisions = post.events.map(({ revision = 0 }) => revision)
        answered({ revisions })
        this.#tell(stream, Math.max(...revisions))
        return
      } catch (error) {
        const { code, currentRevision } = error as { code?: string; currentRevision?: number }
        if (code === 'conflict' && currentRevision !== undefined) {
          post.state = 'refused'
          answered({ conflict: currentRevision })
          this.#tell(stream, currentRevision)
          return
        }
      }
      post.state = 'unanswered'
      if (once) return
      await new Promise<void>((resolve) => void this.#network.after(AGAIN_MS, resolve, 'put again'))
    }
  }

  async look({ stream }: Of<'look'>): Promise<void> {
    const answered = this.history.call(this.#client(), { read: stream })
    try {
      const events = await this.#network.relay.read(ROOM, `stream=${stream}&limit=1000`)
      answered({ ids: events.map(({ data }) => (data as { key: string }).key) })
      this.#tell(stream, Math.max(0, ...events.map(({ revision = 0 }) => revision)))
    } catch {
      answered()
    }
  }

  #client(): string {
    this.#clients += 1
    return `client-${this.#clients}`
  }

  #tell(stream: string, revision: number): void {
    this.#known.set(stream, Math.max(revision, this.#known.get(stream) ?? 0))
  }
}

/** What the next events of a batch expect. */
function after(first: Expectation, i: number): Expectation {
  if (i === 0) return first
  if (typeof first === 'number') return first + i
  return first === 'none' ? i : 'exists'
}
