import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import type { Row, SqlValue } from '../stores/sql.ts'
import { type AttachableSocket, Attachments, type Kept } from './durable-attachments.ts'

/** As the runtime has them: a copy, of so many bytes at most. */
class Socket implements AttachableSocket {
  #attachment: string | undefined

  serializeAttachment(value: unknown): void {
    const text = JSON.stringify(value)
    if (text.length > 16_384) throw new TypeError("A WebSocket 'attachment' is too large.")
    this.#attachment = text
  }

  deserializeAttachment(): unknown {
    return this.#attachment === undefined ? null : JSON.parse(this.#attachment)
  }
}

function setup() {
  const database = new DatabaseSync(':memory:')
  const storage = {
    sql: {
      exec: (query: string, ...values: SqlValue[]) =>
        database.prepare(query).all(...values) as Iterable<Row>,
    },
    transactionSync: <T>(run: () => T): T => run(),
  }
  let names = 0
  const open = (): Attachments<Socket> => new Attachments(storage, () => `name-${++names}`)
  const rows = (): number => database.prepare('SELECT * FROM crosstown_connections').all().length
  return { open, rows }
}

function keptOf(fixed: string, place = 1): Kept {
  const times = { openedMs: 1, heardMs: 2 }
  return {
    snapshot: { fixed, ...times, place, position: `e.${place}.a`, present: '[]', busy: false },
    credits: [5, 3],
  }
}

it('are what was saved, to an object that was not there', () => {
  const { open, rows } = setup()
  const socket = new Socket()
  open().save(socket, keptOf('small'))
  expect(open().load(socket)).toEqual(keptOf('small'))
  expect(open().load(new Socket())).toBeUndefined()
  expect(rows()).toBe(0)
})

it('that are too large have a row, which changes with them and goes with the socket', () => {
  const { open, rows } = setup()
  const large = 'x'.repeat(100_000)
  const [first, second] = [new Socket(), new Socket()]
  const before = open()
  before.save(first, keptOf(large))
  before.save(second, keptOf(large, 7))
  before.save(first, keptOf(`${large}y`, 2))
  expect(rows()).toBe(2)
  const after = open()
  expect(after.load(first)).toEqual(keptOf(`${large}y`, 2))
  expect(after.load(second)).toEqual(keptOf(large, 7))
  after.drop(first)
  expect(rows()).toBe(1)
  expect(after.load(first)).toBeUndefined()
})

it('of sockets that went without a word are swept', () => {
  const { open, rows } = setup()
  const large = 'x'.repeat(100_000)
  const [stays, gone] = [new Socket(), new Socket()]
  const before = open()
  before.save(stays, keptOf(large))
  before.save(gone, keptOf(large))
  const after = open()
  after.load(stays)
  after.sweep()
  expect(rows()).toBe(1)
  expect(open().load(stays)).toEqual(keptOf(large))
})
