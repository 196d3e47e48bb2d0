/** Events as promises and async iterators, on top of a subscription. */
import { BusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'

/** Subscribes; returns what ends it. `failed` is called when reading the log fails. */
export type Attach = (
  handler: (event: BusEvent) => void,
  failed: (error: BusError) => void,
) => () => void

export interface IterateOptions {
  readonly signal?: AbortSignal | undefined
  readonly buffer: number
  readonly overflow: 'drop-oldest' | 'drop-newest' | 'error'
  readonly report: (error: BusError) => void
  /** Told of each event that is lost because the buffer is full. */
  readonly dropped?: (event: BusEvent) => void
  /** Calls back when the bus closes. */
  readonly onClose: (run: () => void) => () => void
}

/** The next event. @throws {BusError} aborted, timeout, closed */
export function nextEvent(
  attach: Attach,
  options: {
    signal?: AbortSignal | undefined
    onClose: IterateOptions['onClose']
    abortError: (signal: AbortSignal) => BusError
  },
): Promise<BusEvent> {
  const { signal, onClose, abortError } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(abortError(signal))
      return
    }
    const end = () => {
      off()
      forget()
      signal?.removeEventListener('abort', abort)
    }
    const abort = () => {
      end()
      reject(abortError(signal as AbortSignal))
    }
    const off = attach(
      (event) => {
        end()
        resolve(event)
      },
      (error) => {
        end()
        reject(error)
      },
    )
    const forget = onClose(() => {
      end()
      reject(new BusError('closed', 'the bus was closed while once() waited'))
    })
    signal?.addEventListener('abort', abort, { once: true })
  })
}

const OVERFLOWS: ReadonlySet<unknown> = new Set(['drop-oldest', 'drop-newest', 'error'])

function invalid(what: string): BusError {
  return new BusError('invalid_options', `events: ${what}`, { stage: 'dispatch' })
}

/** Events in a loop. Subscribed at once, not at the first `next()`, so that none is missed. */
export function iterate(
  attach: Attach,
  options: IterateOptions,
): AsyncIterableIterator<BusEvent> & AsyncDisposable {
  const { signal, buffer, overflow, report, onClose } = options
  if (!Number.isSafeInteger(buffer) || buffer < 1)
    throw invalid('buffer must be a whole number from 1')
  if (!OVERFLOWS.has(overflow))
    throw invalid(`overflow must be one of ${[...OVERFLOWS].join(', ')}`)
  const waiting: BusEvent[] = []
  const readers: {
    resolve(result: IteratorResult<BusEvent>): void
    reject(error: unknown): void
  }[] = []
  let ended = false
  let failure: BusError | undefined
  let overflowing = false

  function end(error?: BusError): void {
    if (ended) return
    ended = true
    failure = error
    off()
    forget()
    signal?.removeEventListener('abort', abort)
    for (const reader of readers.splice(0)) {
      if (error) reader.reject(error)
      else reader.resolve({ done: true, value: undefined })
      failure = undefined
    }
  }
  function abort(): void {
    end()
  }
  function take(event: BusEvent): void {
    const reader = readers.shift()
    if (reader) {
      reader.resolve({ done: false, value: event })
      return
    }
    if (waiting.length < buffer) {
      waiting.push(event)
      return
    }
    const error = new BusError(
      'buffer_overflow',
      `the buffer of ${buffer} events is full (${overflow})`,
      {
        stage: 'dispatch',
        eventId: event.id,
        eventType: event.type,
      },
    )
    if (overflow === 'error') {
      options.dropped?.(event)
      end(error)
      return
    }
    let lost = event
    if (overflow === 'drop-oldest') {
      lost = waiting.shift() ?? event
      waiting.push(event)
    }
    options.dropped?.(lost)
    if (!overflowing) report(error)
    overflowing = true
  }
  const off = attach(take, end)
  const forget = onClose(() => end())
  if (signal?.aborted) end()
  else signal?.addEventListener('abort', abort, { once: true })

  const iterator: AsyncIterableIterator<BusEvent> & AsyncDisposable = {
    next() {
      const event = waiting.shift()
      if (event) {
        overflowing = false
        return Promise.resolve({ done: false, value: event })
      }
      if (failure) {
        const error = failure
        failure = undefined
        return Promise.reject(error)
      }
      if (ended) return Promise.resolve({ done: true, value: undefined })
      return new Promise((resolve, reject) => readers.push({ resolve, reject }))
    },
    return() {
      waiting.length = 0
      end()
      return Promise.resolve({ done: true, value: undefined })
    },
    async [Symbol.asyncDispose]() {
      await iterator.return?.()
    },
    [Symbol.asyncIterator]() {
      return iterator
    },
  }
  return iterator
}
