/** Conversations of the log: what belongs together by its correlation. */
import { bus } from '../bus.ts'
import type { LogEvent } from './log-search.ts'

/** The events of one, and again whenever there is one more, until it is told to stop. */
export function watchConversation(
  correlationId: string,
  found: (events: readonly LogEvent[]) => void,
  failed: (error: Error) => void,
): () => void {
  const stopping = new AbortController()
  const { signal } = stopping
  // Those that come while it is read are read, too: it is read again then.
  bus.subscribe('**', () => void read(), {
    signal,
    where: (event) => event.correlationId === correlationId,
  })
  void read()
  return () => stopping.abort()

  async function read(): Promise<void> {
    const events: LogEvent[] = []
    try {
      for await (const event of bus.replay({ correlationId, signal })) events.push(event)
      if (!signal.aborted) found(events)
    } catch (error) {
      if (!signal.aborted) failed(error as Error)
    }
  }
}
