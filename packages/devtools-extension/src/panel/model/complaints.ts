/** One row for each that sends what cannot be read, however much it is. */
import type { KnownPeer } from './peers.ts'
import type { SessionStore } from './session.ts'

interface Complaint {
  readonly row: number
  count: number
  readonly first: string
}

/** Beyond, all that is unreadable is one row. */
const MAX_COMPLAINTS = 200

export class Complaints {
  readonly #session: SessionStore
  readonly #complaints = new Map<string, Complaint>()

  constructor(session: SessionStore) {
    this.#session = session
  }

  /** `who` by name: a peer, or the source where nobody is known. */
  add(who: string, reason: string, peer: KnownPeer | undefined, now: number): void {
    this.#session.addMalformed(`${who}: ${reason}`)
    const key = this.#complaints.size < MAX_COMPLAINTS || this.#complaints.has(who) ? who : ''
    const complaint = this.#complaints.get(key)
    if (!complaint) {
      const row = this.#session.note(
        { kind: 'error', severity: 'warning', text: textOf(who, 1, reason) },
        peer?.id,
        now,
      )
      this.#complaints.set(key, { row, count: 1, first: reason })
      return
    }
    complaint.count++
    const text = textOf(key === '' ? 'others' : who, complaint.count, complaint.first)
    this.#session.renote(complaint.row, text)
  }

  clear(): void {
    this.#complaints.clear()
  }
}

function textOf(who: string, count: number, reason: string): string {
  return count === 1
    ? `1 frame of ${who} cannot be read: ${reason}`
    : `${count} frames of ${who} cannot be read; the first: ${reason}`
}
