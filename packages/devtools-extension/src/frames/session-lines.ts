/**
 * A session file: lines of JSON. The first is a {@link SessionHead}; the others are frames of taps as
 * they came (`hello`, `batch`, `bye`), and two kinds of lines that no tap sends: marks, and data of
 * events.
 */
import type { PeerId, Tree } from '@crosstown/bus/inspect'
import { readTree } from './answers.ts'
import { headerText } from './events.ts'
import { Fault, type Fields, number, type Reader, shape, shownText, text, under } from './reader.ts'

export const SESSION_VERSION = 1

export interface SessionHead {
  readonly crosstown: 'session'
  readonly version: number
  /** When it was written, ms since 1970. */
  readonly at: number
  readonly label: string
}

export interface MarkLine {
  readonly frame: 'mark'
  /** ms since 1970. */
  readonly at: number
  readonly text: string
}

/** The data of an event, opened as far as who wrote the file had it. */
export interface PayloadLine {
  readonly frame: 'payload'
  /** Who gave it. */
  readonly peer: PeerId
  readonly event: string
  readonly tree: Tree
}

const time = number(-8.64e15, 8.64e15)

/** @throws {Fault} it is no session file, or of a version that this panel does not know */
export function readHead(given: Fields): SessionHead {
  if (given['crosstown'] !== 'session') throw new Fault('this is not a session file of Crosstown')
  const version = given['version']
  if (version !== SESSION_VERSION) {
    throw new Fault(
      `the file has version ${String(version).slice(0, 20)}, this panel reads version ${SESSION_VERSION}: open it in the panel that wrote it, or a newer one`,
    )
  }
  return {
    crosstown: 'session',
    version,
    at: under('at', time, given['at']),
    label: under('label', shownText(200), given['label']),
  }
}

const mark: Reader<Omit<MarkLine, 'frame'>> = shape({ at: time, text: shownText(500) })
const payload: Reader<Omit<PayloadLine, 'frame'>> = shape({
  peer: text(300, 1),
  event: headerText,
  tree: readTree,
})

export function readMark(given: Fields): MarkLine {
  return { frame: 'mark', ...mark(given) }
}

export function readPayload(given: Fields): PayloadLine {
  return { frame: 'payload', ...payload(given) }
}
