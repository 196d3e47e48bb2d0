/** The events that consumers gave up: listed, discarded, or given to their consumers again. */
import type { Incoming } from '../dispatch/dispatch.ts'
import { BusError } from '../errors.ts'
import type { BusEvent } from '../event.ts'
import type { DeadRow } from '../log/consumers.ts'
import type { Log } from '../log/log.ts'
import type { LetterText } from './consume.ts'
import type { DeadLetter, DeadLetters, LetterFilter } from './types.ts'

export interface DeadLettersOptions {
  /** Opens the log, where there is one. */
  readonly open: () => Promise<Log | undefined>
  /** Decodes an event; `undefined` for one that is damaged and was reported. */
  readonly decode: (event: Incoming) => BusEvent | undefined
  /** Tells all contexts of the device that letters of these consumers are to be given again. */
  readonly redriven: (consumers: readonly string[]) => void
}

export function deadLettersOf(options: DeadLettersOptions): DeadLetters {
  const { open, decode, redriven } = options

  async function opened(): Promise<Log> {
    const log = await open()
    if (log) return log
    throw new BusError('unreachable', 'this bus has no log to keep dead letters', {
      stage: 'consume',
    })
  }

  async function chosen(which: LetterFilter): Promise<[Log, (readonly [DeadRow, LetterText])[]]> {
    const log = await opened()
    const wanted = filterOf(which)
    const rows = await log.deadLetters()
    return [
      log,
      rows.flatMap((row) => {
        const letter = readLetter(row.text)
        return letter && wanted(row, letter) ? [[row, letter] as const] : []
      }),
    ]
  }

  return {
    async list(which = {}) {
      const [, letters] = await chosen(which)
      return letters.map(([row, letter]) => letterOf(row, letter, decode(letter.event)))
    },
    async redrive(which) {
      const [log, letters] = await chosen(which)
      const changes = letters.map(
        ([{ id }, letter]) => [id, JSON.stringify({ ...letter, redriven: true })] as const,
      )
      const changed = await log.changeDead(new Map(changes))
      if (changed.length > 0) redriven([...new Set(letters.map(([{ consumer }]) => consumer))])
      return changed.length
    },
    async discard(which) {
      const [log, letters] = await chosen(which)
      const changes = letters.map(([{ id }]) => [id, undefined] as const)
      return (await log.changeDead(new Map(changes))).length
    },
  }
}

function letterOf(
  { id, consumer }: DeadRow,
  { reason, detail, attempts, time }: LetterText,
  event: BusEvent | undefined,
): DeadLetter {
  return { id, consumer, reason, ...(detail !== undefined && { detail }), attempts, time, event }
}

/** A letter from its text; `undefined` where that is something else. */
export function readLetter(text: string): LetterText | undefined {
  try {
    const letter = JSON.parse(text) as Partial<LetterText> | null
    const { header, dataText } = letter?.event ?? {}
    const whole = typeof header?.id === 'string' && typeof dataText === 'string'
    return whole ? (letter as LetterText) : undefined
  } catch {
    return undefined
  }
}

type Wanted = (row: DeadRow, letter: LetterText) => boolean

/** @throws {BusError} invalid_options */
function filterOf(which: LetterFilter): Wanted {
  if (typeof which === 'number') return ({ id }) => id === which
  if (Array.isArray(which)) {
    const ids = new Set(which)
    return ({ id }) => ids.has(id)
  }
  if (typeof which !== 'object' || which === null) {
    const what = 'deadLetters: an id, a list of ids, or { consumer, type, reason }'
    throw new BusError('invalid_options', what, { stage: 'consume' })
  }
  const { consumer, type, reason } = which as Extract<LetterFilter, { consumer?: unknown }>
  return (row, letter) =>
    (consumer === undefined || row.consumer === consumer) &&
    (type === undefined || letter.event.header.type === type) &&
    (reason === undefined || letter.reason === reason)
}
