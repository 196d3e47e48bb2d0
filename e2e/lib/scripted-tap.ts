/**
 * A tap that does as a test tells it: it says hello, sends the records it is given as far as it has
 * credit, and answers questions. In the page of the panel, on the inspect channel.
 */
import {
  type Ask,
  type HelloFrame,
  INSPECT_CHANNEL,
  INSPECT_VERSION,
  type InspectedEvent,
  type InspectorFrame,
  type InspectRecord,
  packIds,
} from '@crosstown/bus/inspect'

export interface ScriptedTapOptions {
  readonly peer?: string
  readonly hello?: Partial<HelloFrame>
  /** Of the protocol, to be of another one than the panel. */
  readonly version?: number
}

const RECORDS_A_BATCH = 500

export class ScriptedTap {
  readonly peer: string
  /** Answers by `what`; a text is an error's message. Unanswered asks stay so. */
  readonly answers: { [What in Ask['what']]?: unknown } = {}
  readonly asked: Ask[] = []
  readonly #channel = new BroadcastChannel(INSPECT_CHANNEL)
  readonly #version: number
  readonly #hello: HelloFrame
  readonly #records: InspectRecord[] = []
  #sent = 0
  #credit = 0
  #events = 0

  constructor({
    peer = 'aaaaaaaaaaaa',
    hello,
    version = INSPECT_VERSION,
  }: ScriptedTapOptions = {}) {
    this.peer = peer
    this.#version = version
    this.#hello = {
      inspect: version,
      frame: 'hello',
      peer,
      library: '0.1.0',
      bus: 'shop',
      source: 'shop',
      kind: 'page',
      title: 'Shop',
      url: 'http://127.0.0.1/shop',
      log: 'log-1',
      device: 'device-1',
      now: [Date.now(), performance.now()],
      next: 1,
      oldest: 1,
      status: {
        relay: 'off',
        rtt: undefined,
        leader: true,
        log: { kind: 'disk', state: 'open', bytes: 0 },
        outbox: { pending: 0, bytes: 0, oldest: undefined, refused: 0 },
        lead: { self: true, present: true },
        queued: 0,
      } as never,
      subscriptions: [
        { sub: 1, patterns: ['**'], kind: 'handler', at: performance.now(), calls: 0, failures: 0 },
      ],
      views: [],
      ...hello,
    }
    this.#channel.onmessage = ({ data }: MessageEvent<string>) => {
      this.#hear(JSON.parse(data) as InspectorFrame)
    }
    this.#send({ ...this.#hello, frame: 'hello' })
  }

  /** Events that were published, committed and handled here, `ms` apart; their ids. */
  publish(
    events: readonly (Partial<InspectedEvent> & { readonly type: string })[],
    { ms = 1 }: { readonly ms?: number } = {},
  ): string[] {
    const at = performance.now()
    const made = events.map((event): InspectedEvent => {
      this.#events += 1
      return {
        id: `${this.peer}-${this.#events}`,
        source: 'shop',
        time: Date.now(),
        bytes: 100,
        ...event,
      }
    })
    made.forEach((event, index) => {
      const when = at + index * ms
      const ids = packIds([event.id])
      this.record(
        { at: when, is: 'published', events: [event] },
        { at: when + 0.2, is: 'committed', batch: this.#events + index, ids, ms: 0.2 },
        { at: when + 0.3, is: 'matched', ids, subs: [1] },
        { at: when + 0.5, is: 'handled', sub: 1, ids, ms: [0.2] },
      )
    })
    this.flush()
    return made.map(({ id }) => id)
  }

  /** Many events at once, in full batches of records; every tenth is an `order.placed`. */
  flood(count: number): void {
    const at = performance.now()
    for (let done = 0; done < count; done += 100) {
      const events = Array.from({ length: Math.min(100, count - done) }, (_, i): InspectedEvent => {
        this.#events += 1
        return {
          id: `${this.peer}-${this.#events}`,
          type: i % 10 === 0 ? 'order.placed' : `cart.item_${i % 7}`,
          source: 'shop',
          time: Date.now(),
          bytes: 100 + i,
        }
      })
      const ids = packIds(events.map(({ id }) => id))
      const when = at + done / 100
      this.record(
        { at: when, is: 'published', events },
        { at: when + 0.3, is: 'matched', ids, subs: [1] },
        { at: when + 0.5, is: 'handled', sub: 1, ids, ms: events.map(() => 0.2) },
      )
    }
    this.flush()
  }

  record(...records: InspectRecord[]): void {
    this.#records.push(...records)
  }

  /** Sends what there is credit for. */
  flush(): void {
    while (this.#credit > 0 && this.#sent < this.#records.length) {
      const records = this.#records.slice(this.#sent, this.#sent + RECORDS_A_BATCH)
      this.#send({ frame: 'batch', first: this.#sent + 1, records })
      this.#sent += records.length
      this.#credit -= 1
    }
  }

  /** Any text, as a stranger on the channel could post it. */
  say(text: string): void {
    this.#channel.postMessage(text)
  }

  bye(): void {
    this.#send({ frame: 'bye', reason: 'closed' })
    this.#channel.close()
  }

  #hear(frame: InspectorFrame): void {
    if ('to' in frame && frame.to !== undefined && frame.to !== this.peer) return
    if (frame.frame === 'attach') {
      if (frame.inspect !== this.#version) {
        this.#send({ frame: 'mismatch', library: this.#hello.library })
        return
      }
      this.#credit = frame.credit
      this.#sent = (frame.resume?.[this.peer] ?? 1) - 1
      this.#send({ ...this.#hello, now: [Date.now(), performance.now()] })
      this.flush()
    } else if (frame.frame === 'grant') {
      this.#credit += frame.credit
      this.flush()
    } else if (frame.frame === 'ask') {
      const { ask, session, id } = frame
      this.asked.push(ask)
      const answer = this.answers[ask.what]
      if (typeof answer === 'string')
        this.#send({ frame: 'answer', session, id, error: { code: 'not_found', message: answer } })
      else if (answer !== undefined) this.#send({ frame: 'answer', session, id, result: answer })
    }
  }

  #send(frame: object): void {
    this.#channel.postMessage(JSON.stringify({ inspect: this.#version, peer: this.peer, ...frame }))
  }
}
