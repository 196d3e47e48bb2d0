import { checkOf, parsePosition, positionOf } from '@crosstown/bus/protocol'
import { describe, expect, it } from 'vitest'
import type { PublishCommand, RoomState } from './commands.ts'
import { linesOf } from './judge.ts'
import { headPosition, START } from './record.ts'
import { resumeAt } from './resume.ts'
import { commit, decide } from './room.ts'
import { memoryStore } from './stores/memory.ts'
import { cursorAfter, publishOf, TERM } from './testing/probe.ts'

/** A room in a store of its own. */
class Room {
  readonly store = memoryStore()
  state: RoomState = {
    head: { epoch: 'e', version: 0, ...START, time: 0 },
    devices: new Map(),
    logs: new Map(),
    streams: new Map(),
    ids: { prefix: 'p', counter: 0 },
  }

  /** Takes batches: ids with spaces between; one that ends with `!` is refused. */
  async take(...batches: string[]): Promise<this> {
    for (const text of batches) {
      const ids = text.replace('!', '').split(' ')
      const device = text.slice(0, 1)
      const taken = this.state.devices.get(device)?.taken?.batch
      const frame = publishOf((taken ?? 0) + 1, taken, ids)
      await this.#write({
        kind: 'publish',
        time: 1,
        device,
        mayPublish: () => !text.endsWith('!'),
        frame,
        lines: linesOf(frame.events),
        nesting: 512,
        data: ids,
      })
    }
    return this
  }

  /** The same room in a store, as it was kept before there were chains. */
  async withoutChains(): Promise<Room> {
    const old = new Room()
    const records = await this.store.read('r', 0, { events: 100, bytes: 1_000_000 })
    const head = { ...this.state.head, chain: '' }
    const bare = records.map((record) => ({ ...record, before: '', chain: '' }))
    await old.store.append('r', { expected: old.state.head, head, records: bare, state: [] })
    old.state = { ...this.state, head }
    return old
  }

  get position(): string {
    return headPosition(this.state.head)
  }

  resume(cursor: string, older: readonly string[] = []) {
    return resumeAt(this.store, 'r', this.state.head, { cursor, older })
  }

  async #write(command: PublishCommand): Promise<void> {
    const { device } = command
    const row = { secretHash: 'h', subject: 's', log: device, term: TERM }
    if (!this.state.devices.has(device)) this.state.devices.set(device, row)
    const decision = decide(this.state, [command])
    const { head, records } = decision
    const append = { expected: this.state.head, head, records, state: [] }
    expect(await this.store.append('r', append)).toBe(true)
    this.state = commit(this.state, decision)
  }
}

describe('a cursor of a device that slept', () => {
  it('a restored room that was fed again by others does not pass for the one a sleeping device knew', async () => {
    const before = await new Room().take('a-1')
    const older = before.position
    const { position: cursor } = await before.take('b-1', 'c-1', 'd-1')
    // What was behind a-1 is lost, and comes again in another order: d-1 stands where it stood.
    for (const again of [
      ['c-1', 'b-1', 'd-1'],
      ['c-1', 'b-1', 'd-1', 'e-1'],
    ]) {
      const restored = await new Room().take('a-1', ...again)
      expect(await restored.resume(cursor, [older])).toMatchObject({
        from: older,
        place: 1,
        recovered: false,
        reason: 'restored',
      })
    }
  })

  it('is good in a room that was fed again with the same', async () => {
    const { position: cursor } = await new Room().take('a-1', 'b-1', 'c-1')
    const restored = await new Room().take('a-1', 'b-1', 'c-1', 'd-1')
    expect(await restored.resume(cursor)).toMatchObject({ from: cursor, place: 3, recovered: true })
  })

  it('is another one where an event was refused that others had taken', async () => {
    const { position: cursor } = await new Room().take('a-1', 'b-1', 'c-1')
    const restored = await new Room().take('a-1', 'b-1!', 'c-1')
    expect(await restored.resume(cursor)).toMatchObject({ recovered: false, reason: 'restored' })
  })

  it('is good inside a batch, where a frame ended there', async () => {
    const room = await new Room().take('a-1', 'b-1 b-2 b-3')
    for (const place of [2, 3, 4]) {
      const ids = ['a-1', 'b-1', 'b-2', 'b-3'].slice(0, place)
      const cursor = cursorAfter('e', ids)
      expect(await room.resume(cursor)).toMatchObject({ from: cursor, place, recovered: true })
      const other = cursorAfter('e', ['c-1', ...ids.slice(1)])
      expect(await room.resume(other)).toMatchObject({ recovered: false, reason: 'restored' })
    }
  })

  it('is compared where history was trimmed away, too', async () => {
    const [room, other] = (await Promise.all(
      [
        ['a-1', 'b-1'],
        ['b-1', 'a-1'],
      ].map((ids) => new Room().take(...ids, 'c-1', 'd-1')),
    )) as [Room, Room]
    const keep = { events: 1, bytes: 1_000_000, since: 0 }
    await room.store.trim('r', keep, { events: 9, bytes: 1_000_000 })
    const cursor = cursorAfter('e', ['a-1', 'b-1', 'c-1'])
    expect(await room.resume(cursor)).toMatchObject({
      from: cursor,
      first: cursor,
      recovered: true,
    })
    await other.store.trim('r', keep, { events: 9, bytes: 1_000_000 })
    expect(await other.resume(cursor)).toMatchObject({
      first: cursorAfter('e', ['b-1', 'a-1', 'c-1']),
      recovered: false,
      reason: 'restored',
    })
  })

  it('does not pass for trimmed away where a restored room trimmed other events than the device had', async () => {
    const known = ['a-1', 'b-1', 'c-1', 'd-1']
    const { position: cursor } = await new Room().take(...known)
    const older = [cursorAfter('e', ['a-1', 'b-1', 'c-1']), cursorAfter('e', ['a-1', 'b-1'])]
    const at = async (lost: number, ...more: string[]) => {
      const room = await new Room().take(...known.slice(0, 4 - lost), ...more)
      await room.store.trim('r', { events: 1, bytes: 1e6, since: 0 }, { events: 99, bytes: 1e6 })
      const { recovered, reason, common, from, first } = await room.resume(cursor, older)
      return [recovered, reason, common, from === first]
    }
    expect(await at(0, 'x-1', 'x-2')).toEqual([false, 'trimmed', undefined, true])
    expect(await at(1, 'x-1', 'x-2')).toEqual([false, 'restored', older[0], true])
    expect(await at(2, 'x-1', 'x-2', 'x-3')).toEqual([false, 'restored', older[1], true])
    // Where the stream goes on from what they have in common, that says it.
    expect(await at(2, 'x-1')).toEqual([false, 'restored', undefined, true])
    expect(await at(3, 'x-1', 'x-2', 'x-3', 'x-4')).toEqual([false, 'restored', 'e.0.0', true])
  })

  it('that is the position of an event is good where that event is, and becomes a whole one', async () => {
    const room = await new Room().take('a-1', 'b-1', 'c-1')
    for (const [place, ids] of [
      [2, ['a-1', 'b-1']],
      [3, ['a-1', 'b-1', 'c-1']],
    ] as const) {
      const cursor = positionOf('e', place, checkOf(ids.at(-1) as string))
      const from = cursorAfter('e', ids)
      expect(await room.resume(cursor)).toMatchObject({ from, place, recovered: true })
    }
    expect(await room.resume(positionOf('e', 2, checkOf('c-1')))).toMatchObject({
      recovered: false,
    })
  })
})

describe('a room whose first events were written without chains', () => {
  it('gives and knows cursors as they were there, and whole ones behind', async () => {
    const room = await new Room().take('a-1', 'b-1')
    const old = await room.withoutChains()
    const bare = positionOf('e', 2, checkOf('b-1'))
    expect(old.position).toBe(bare)
    expect(await old.resume(bare)).toMatchObject({ from: bare, place: 2, recovered: true })
    expect(await old.resume(room.position)).toMatchObject({ recovered: false, reason: 'restored' })

    await old.take('c-1', 'd-1')
    expect(await old.resume(bare)).toMatchObject({ from: bare, place: 2, recovered: true })
    const { position } = old
    expect(parsePosition(position)?.chain).toBeDefined()
    expect(await old.resume(position)).toMatchObject({ from: position, place: 4, recovered: true })
  })
})
