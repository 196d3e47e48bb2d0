/** A reader of `text/event-stream` for tests: what came, block by block, as the standard parses it. */

/** One block; a comment alone is one, too. */
export interface Block {
  readonly id?: string
  readonly event?: string
  readonly data?: string
  readonly retry?: string
  readonly comment?: true
}

/** An event stream that is being read. */
export class EventStreamProbe {
  /** Where a reconnecting reader would go on. */
  lastEventId = ''
  readonly response: Response
  readonly #blocks: AsyncGenerator<Block, undefined>
  readonly #abort: AbortController

  private constructor(response: Response, abort: AbortController) {
    this.response = response
    this.#abort = abort
    this.#blocks = blocksOf(response)
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<EventStreamProbe> {
    const abort = new AbortController()
    const response = await fetch(url, {
      headers: { accept: 'text/event-stream', ...headers },
      signal: abort.signal,
    })
    return new EventStreamProbe(response, abort)
  }

  /** The next block of any kind; `undefined` at the end. */
  async next(): Promise<Block | undefined> {
    const { value } = await this.#blocks.next()
    if (value?.id !== undefined) this.lastEventId = value.id
    return value
  }

  /** The next block with data. */
  async message(): Promise<Block & { readonly data: string }> {
    for (;;) {
      const block = await this.next()
      if (!block) throw new Error('the event stream ended')
      if (block.data !== undefined) return { ...block, data: block.data }
    }
  }

  /** What the next so many events hold. */
  async data(count: number): Promise<unknown[]> {
    const all: unknown[] = []
    while (all.length < count) {
      const event = JSON.parse((await this.message()).data) as { data: unknown }
      all.push(event.data)
    }
    return all
  }

  close(): void {
    this.#abort.abort()
  }
}

async function* blocksOf(response: Response): AsyncGenerator<Block, undefined> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of response.body ?? []) {
    rest += decoder.decode(bytes as Uint8Array, { stream: true })
    for (;;) {
      // A carriage return may be the first half of a line end.
      const end = /(\r\n|\n|\r(?!$))(\r\n|\n|\r(?!$))/.exec(rest)
      if (!end) break
      const block = blockOf(rest.slice(0, end.index))
      rest = rest.slice(end.index + end[0].length)
      yield block
    }
  }
  return undefined
}

function blockOf(text: string): Block {
  const block: { id?: string; event?: string; data?: string; retry?: string; comment?: true } = {}
  for (const line of text.split(/\r\n|\r|\n/)) {
    const colon = line.indexOf(':')
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === '') block.comment = true
    else if (name === 'data')
      block.data = block.data === undefined ? value : `${block.data}\n${value}`
    else if (name === 'id' || name === 'event' || name === 'retry') block[name] = value
  }
  return block
}
