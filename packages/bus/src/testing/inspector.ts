import { eventsOf } from '../inspect/columns.ts'
import type {
  Answers,
  Ask,
  BatchFrame,
  HelloFrame,
  InspectedEvent,
  InspectorFrame,
  InspectRecord,
  TapFrame,
} from '../inspect/frames.ts'
import { INSPECT_VERSION } from '../inspect/frames.ts'

/** A record of a kind, its envelopes as a list. */
type RecordOf<Is extends InspectRecord['is']> = Is extends 'published'
  ? { readonly at: number; readonly is: Is; readonly events: readonly InspectedEvent[] }
  : Extract<InspectRecord, { is: Is }>

/** An inspector of a test: grants what it is told to, and keeps all it hears. */
export class TestInspector {
  readonly session: string
  readonly frames: TapFrame[] = []
  /** Every text heard, for those who look for what must not be in any. */
  readonly texts: string[] = []
  readonly #send: (text: string) => void
  #asked = 0

  constructor(send: (text: string) => void, session = 'test') {
    this.#send = send
    this.session = session
  }

  /** What came from a tap. */
  hear(text: string): void {
    this.texts.push(text)
    this.frames.push(JSON.parse(text) as TapFrame)
  }

  send(frame: object): void {
    this.#send(JSON.stringify({ inspect: INSPECT_VERSION, session: this.session, ...frame }))
  }

  attach(options: Partial<Extract<InspectorFrame, { frame: 'attach' }>> = {}): void {
    this.send({ frame: 'attach', credit: 1_000, ...options })
  }

  detach(): void {
    this.send({ frame: 'detach' })
  }

  get hellos(): HelloFrame[] {
    return this.frames.filter((frame) => frame.frame === 'hello')
  }

  get batches(): BatchFrame[] {
    return this.frames.filter((frame) => frame.frame === 'batch')
  }

  records(peer?: string): InspectRecord[] {
    return this.batches.flatMap((batch) =>
      peer === undefined || batch.peer === peer ? batch.records : [],
    )
  }

  /** Records of a kind. */
  of<Is extends InspectRecord['is']>(is: Is, peer?: string): RecordOf<Is>[] {
    return this.records(peer).flatMap((record) => {
      if (record.is !== is) return []
      return [record.is === 'published' ? { ...record, events: eventsOf(record.events) } : record]
    }) as RecordOf<Is>[]
  }

  /** Asks; the returned function gives the answer once it is there. */
  ask<What extends Ask['what']>(
    to: string,
    ask: Extract<Ask, { what: What }>,
  ): () => { parts: Answers[What][]; error?: { code: string; message: string } } | undefined {
    const id = ++this.#asked
    this.send({ frame: 'ask', to, id, ask })
    return () => {
      const answers = this.frames.filter(
        (frame) => frame.frame === 'answer' && frame.session === this.session && frame.id === id,
      ) as Extract<TapFrame, { frame: 'answer' }>[]
      const last = answers.at(-1)
      if (!last || last.more) return undefined
      const parts = answers.flatMap((answer) => ('result' in answer ? [answer.result] : []))
      return { parts: parts as Answers[What][], ...(last.error && { error: last.error }) }
    }
  }
}
