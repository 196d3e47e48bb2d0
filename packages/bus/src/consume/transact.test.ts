import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createBus } from '../bus.ts'
import type { Bus } from '../index.ts'
import { sqliteLog } from '../log/sqlite.ts'

type Shop = { 'order.placed': { n: number } }

let folder = ''
const open: Bus<Shop>[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crosstown-'))
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.close()))
  rmSync(folder, { recursive: true })
})

function shop(): Bus<Shop> {
  const log = sqliteLog(join(folder, 'log.db'))
  const bus = createBus<Shop>({ name: 'shop', log, onError: () => {} })
  open.push(bus)
  return bus
}

/** The user's own database. */
function database(): DatabaseSync {
  const db = new DatabaseSync(join(folder, 'own.db'))
  db.exec('CREATE TABLE IF NOT EXISTS effects (n INTEGER)')
  return db
}

const effects = (db: DatabaseSync): number[] =>
  db
    .prepare('SELECT n FROM effects ORDER BY rowid')
    .all()
    .map((row) => row['n'] as number)

describe('a handler that writes in the transaction of its cursor, in SQLite', () => {
  it('has each effect once, though it fails half way', async () => {
    const [bus, db] = [shop(), database()]
    let failed = 0
    bus.subscribe(
      'order.placed',
      async ({ data: { n } }, { tx, attempt }) => {
        tx.prepare('INSERT INTO effects VALUES (?)').run(n)
        await undefined
        if (n % 3 === 0 && attempt < 3) {
          failed += 1
          throw new Error('after the write')
        }
      },
      // Also how long a delivery may take, and so nothing that a busy machine could need.
      { durable: 'copy', transact: { db }, backoff: [1_000] },
    )
    for (let n = 0; n < 10; n++) await bus.publish('order.placed', { n })
    await expect.poll(() => effects(db).length).toBe(10)
    expect(effects(db).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, n) => n))
    expect(failed).toBe(8)
    db.close()
  })

  it('goes on from its own cursor, whatever the log has', async () => {
    const db = database()
    const subscribe = (bus: Bus<Shop>): void => {
      bus.subscribe(
        'order.placed',
        ({ data }, { tx }) => tx.prepare('INSERT INTO effects VALUES (?)').run(data.n),
        { durable: 'copy', transact: { db } },
      )
    }
    const first = shop()
    subscribe(first)
    for (let n = 0; n < 5; n++) await first.publish('order.placed', { n })
    await expect.poll(() => effects(db).length).toBe(5)
    await first.close()
    const second = shop()
    subscribe(second)
    await second.publish('order.placed', { n: 5 })
    await expect.poll(() => effects(db)).toEqual([0, 1, 2, 3, 4, 5])
    await second.close()
    // As it was before: its cursor went with its effects.
    db.exec('DELETE FROM effects WHERE n > 2; DELETE FROM crosstown_cursors')
    const third = shop()
    subscribe(third)
    await expect.poll(() => effects(db)).toEqual([0, 1, 2, 0, 1, 2, 3, 4, 5])
    await third.close()
    db.close()
  })

  it('rolls back what is given back or given up, and keeps the letter', async () => {
    const [bus, db] = [shop(), database()]
    bus.subscribe(
      'order.placed',
      ({ data: { n } }, ctx) => {
        ctx.tx.prepare('INSERT INTO effects VALUES (?)').run(n)
        if (n === 1 && ctx.attempt === 1) ctx.nak()
        if (n === 2) ctx.term('no')
      },
      { durable: 'copy', transact: { db } },
    )
    for (let n = 0; n < 4; n++) await bus.publish('order.placed', { n })
    await expect.poll(() => effects(db).length).toBe(3)
    expect(effects(db).toSorted((a, b) => a - b)).toEqual([0, 1, 3])
    await expect.poll(async () => (await bus.deadLetters.list())[0]?.reason).toBe('terminated')
    db.close()
  })

  it('says what is wrong with its options', () => {
    const [bus, db] = [shop(), database()]
    for (const options of [{ transact: {} }, { transact: { db }, concurrency: 2 }]) {
      expect(() =>
        bus.subscribe('order.placed', () => {}, { durable: 'a', ...options } as never),
      ).toThrow(expect.objectContaining({ code: 'invalid_options' }))
    }
    db.close()
  })
})
