/**
 * A session file: lines of JSON. The first is a {@link SessionHead}; the others are frames of taps as
 * they came (`hello`, `batch`, `bye`), and lines that no tap sends. The panel opens it.
 */
import type { InspectedEvent, PeerId, Tree } from './frames.ts'

export const SESSION_VERSION = 1

export interface SessionHead {
  readonly crosstown: 'session'
  readonly version: number
  /** When it was written, ms since 1970. */
  readonly at: number
  readonly label: string
  /** Rows that are no events are lines of their own: of records none are made. */
  readonly notes?: true
}

/** Envelopes of events whose publisher was not inspected. */
export interface EventsLine {
  readonly frame: 'events'
  readonly events: readonly InspectedEvent[]
}

/** The data of an event, opened as far as who wrote the file had it, and whole where it was to be had. */
export interface PayloadLine {
  readonly frame: 'payload'
  /** Who gave it. */
  readonly peer: PeerId
  readonly event: string
  readonly tree: Tree
  /** Value text. */
  readonly text?: string
  readonly encoding?: 'devalue'
}

/** How a file begins. */
export function sessionHead(fields: Pick<SessionHead, 'at' | 'label' | 'notes'>): SessionHead {
  return { crosstown: 'session', version: SESSION_VERSION, ...fields }
}
