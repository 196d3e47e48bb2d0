import type { NoteRow } from '../model.ts'

/** A term as a question to a row. */
export interface Test {
  event(entry: number): boolean
  note(note: NoteRow): boolean
  /** Whether what is asked for may change after a row came. */
  readonly late: boolean
}
