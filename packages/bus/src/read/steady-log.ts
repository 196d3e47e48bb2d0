/**
 * A log to read for long: the browser may close the connection to it half way, or its page may be
 * put away and come back. What was read to the end of a call holds; the rest is read from the log
 * that opens next, if it is the same.
 */
import { BusError, isBusError } from '../errors.ts'
import type { Log } from '../log/log.ts'
import { unreadable } from './bound.ts'
import type { ReadableLog } from './walk.ts'

/** What views need of a log. */
export type ViewableLog = ReadableLog & Pick<Log, 'snapshot' | 'keepSnapshot'>

/** Gives the log that is open, or the next one; `undefined` where there is none. */
export type OpenLog = () => Promise<Log | undefined>

/** A log whose calls go on in the next one, as long as that is the same. */
export function steadyLog(open: OpenLog): ViewableLog {
  let known: Log | undefined
  let logId: string | undefined

  function run<T>(read: (log: Log) => Promise<T>): Promise<T> {
    return withLog(open, async (log) => {
      await assertSame(log)
      return read(log)
    })
  }

  /** Offsets of one log say nothing of another. */
  async function assertSame(log: Log): Promise<void> {
    if (log === known) return
    const { logId: id } = await log.state(false)
    if (logId !== undefined && logId !== id) {
      throw new BusError('log_cleared', 'the log was cleared while it was read', { stage: 'read' })
    }
    logId = id
    known = log
  }

  return {
    state: (outbox) => run((log) => log.state(outbox)),
    read: (from, limit) => run((log) => log.read(from, limit)),
    readBack: (to, limit) => run((log) => log.readBack(to, limit)),
    placements: (from, to) => run((log) => log.placements(from, to)),
    countStreams: (streams, before) => run((log) => log.countStreams(streams, before)),
    snapshot: (name) => run((log) => log.snapshot(name)),
    keepSnapshot: (name, text) => run((log) => log.keepSnapshot(name, text)),
  }
}

/** Reads the log that is open; where that one is gone half way, the next one from the beginning. */
export async function withLog<T>(open: OpenLog, read: (log: Log) => Promise<T>): Promise<T> {
  let tried: Log | undefined
  let failure: unknown
  while (true) {
    const log = await open()
    if (!log) throw unreadable()
    // Closed for good: asking again would give the same.
    if (log === tried) throw failure
    tried = log
    try {
      return await read(log)
    } catch (error) {
      if (!isBusError(error, 'log_lost') && !isBusError(error, 'closed')) throw error
      failure = error
    }
  }
}
