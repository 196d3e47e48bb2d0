/**
 * What is left of the connections of a Durable Object while it is out of memory: an attachment to
 * each socket. One that is too large for that is in a row beside the log.
 */
import type { ConnectionSnapshot } from '../socket.ts'
import type { DurableObjectStorageLike } from '../stores/durable-object.ts'

/** Of a socket of a Durable Object, what attachments need. */
export interface AttachableSocket {
  serializeAttachment(value: unknown): void
  deserializeAttachment(): unknown
}

/** A connection, and the credits of its socket. */
export interface Kept {
  readonly snapshot: ConnectionSnapshot
  readonly credits: readonly [sent: number, taken: number]
}

interface Attached extends Kept {
  /** The row that has the texts, which are empty here. */
  readonly row?: string
}

const TABLE = `CREATE TABLE IF NOT EXISTS crosstown_connections (
  id TEXT PRIMARY KEY,
  fixed TEXT NOT NULL,
  present TEXT NOT NULL
) WITHOUT ROWID`

/** The attachments of one Durable Object. */
export class Attachments<S extends AttachableSocket> {
  readonly #storage: DurableObjectStorageLike
  readonly #name: () => string
  /** Of sockets with a row: its id, and what is in it. */
  readonly #rows = new Map<S, { readonly id: string; fixed: string; present: string }>()

  /** @param name makes names that are used once */
  constructor(storage: DurableObjectStorageLike, name: () => string) {
    this.#storage = storage
    this.#name = name
    storage.sql.exec(TABLE)
  }

  save(socket: S, kept: Kept): void {
    if (!this.#rows.has(socket)) {
      try {
        socket.serializeAttachment(kept satisfies Attached)
        return
      } catch {
        // It is too large: from now on the texts of this one have a row.
      }
    }
    const { fixed, present = '' } = kept.snapshot
    let row = this.#rows.get(socket)
    if (!row || row.fixed !== fixed || row.present !== present) {
      row = { id: row?.id ?? this.#name(), fixed, present }
      this.#rows.set(socket, row)
      const insert = 'INSERT OR REPLACE INTO crosstown_connections VALUES (?, ?, ?)'
      this.#storage.sql.exec(insert, row.id, fixed, present)
    }
    const snapshot = {
      ...kept.snapshot,
      fixed: '',
      ...(kept.snapshot.present !== undefined && { present: '' }),
    }
    socket.serializeAttachment({ ...kept, snapshot, row: row.id } satisfies Attached)
  }

  /** What was saved of a socket; `undefined` for one of which nothing was. */
  load(socket: S): Kept | undefined {
    const attached = socket.deserializeAttachment() as Attached | null | undefined
    if (!attached) return undefined
    const { row: id, ...kept } = attached
    if (id === undefined) return kept
    const select = 'SELECT fixed, present FROM crosstown_connections WHERE id = ?'
    const [row] = this.#storage.sql.exec(select, id)
    if (!row) return undefined
    const fixed = String(row['fixed'])
    const present = String(row['present'])
    this.#rows.set(socket, { id, fixed, present })
    const { snapshot } = kept
    return {
      ...kept,
      snapshot: { ...snapshot, fixed, ...(snapshot.present !== undefined && { present }) },
    }
  }

  /** Its socket is closed. */
  drop(socket: S): void {
    try {
      // Until the other side has answered the close it is still a socket of this object.
      socket.serializeAttachment(null)
    } catch {
      // Not even that: nobody will find it.
    }
    const row = this.#rows.get(socket)
    if (!row) return
    this.#rows.delete(socket)
    this.#storage.sql.exec('DELETE FROM crosstown_connections WHERE id = ?', row.id)
  }

  /** Removes the rows of sockets that went without a word; all that are left have been loaded. */
  sweep(): void {
    const ids = new Set([...this.#rows.values()].map(({ id }) => id))
    for (const { id } of [...this.#storage.sql.exec('SELECT id FROM crosstown_connections')])
      if (!ids.has(String(id)))
        this.#storage.sql.exec('DELETE FROM crosstown_connections WHERE id = ?', String(id))
  }
}
