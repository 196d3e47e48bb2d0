/** What every log must do with the room: places, what a room has lost, and who the device is. */
import type { HeldRun, Log, WelcomeUpdate } from '../log/log.ts'
import type { OwnRun, Refusal, Term } from '../protocol/frames.ts'
import { header, joined, type LogTest, own, room } from './log-records.ts'
import { codeOf, must, mustEqual } from './suite.ts'

const ownRun = (
  place: number,
  batch: number,
  indexes: readonly number[],
  refused?: readonly Refusal[],
): OwnRun => ({
  place,
  time: 5,
  own: { batch, indexes, ...(refused === undefined ? undefined : { refused }) },
})

const heldRun = (place: number, batch: number, indexes: readonly number[]): HeldRun => ({
  place,
  time: 5,
  held: { batch, indexes },
})

const welcome = (term: Term, more: Partial<WelcomeUpdate> = {}): WelcomeUpdate => ({
  term,
  cursor: 'E.0.0',
  liveAfter: 0,
  subject: 'u',
  reads: '[]',
  ...more,
})

/** Places by index, as text. */
async function placesOf(log: Log, batch: number): Promise<string[]> {
  const placement = await log.placement(batch)
  return (placement?.parts ?? []).flatMap(({ epoch, place, indexes, refused }) => [
    ...indexes.map((index, k) => `${index}@${epoch}.${place + k}`),
    ...(refused ?? []).map(([index, code]) => `${index}:${code}`),
  ])
}

export function roomContract(test: LogTest): void {
  test('places what it holds already without writing it again', async (log) => {
    const term = await joined(log)
    const mine = await log.append(own([['a-1'], ['a-2', { scope: 'device' }], ['a-3']]))
    const theirs = await log.appendRoom(
      room('E.0.0', 'E.2.x', [{ place: 1, time: 5, events: [header('z-1'), header('z-2')] }]),
      term,
    )
    await log.appendRoom(
      room('E.2.x', 'E.7.x', [
        heldRun(3, mine, [0, 2]),
        heldRun(5, theirs, [1]),
        { place: 6, time: 5, events: [header('z-3')] },
        heldRun(7, theirs, [0]),
      ]),
      term,
    )
    mustEqual(await placesOf(log, mine), ['0@E.3', '2@E.4'], 'own events have their places')
    mustEqual(await placesOf(log, theirs), ['1@E.5', '0@E.7'], 'so have the events of others')
    mustEqual((await log.find('z-3'))?.index, 3, 'placeholders take slots')
    mustEqual((await log.find('a-3'))?.batch.batch, mine, 'events stay where they were written')
    const { room: state } = await log.state()
    mustEqual(state.pending, 0, 'what has a place is not pending')
    must(state.confirmed === undefined, 'but held events do not move the confirmed batch')
  })

  test('an event that has a place keeps it', async (log) => {
    const term = await joined(log)
    const mine = await log.append(own([['a-1'], ['a-2'], ['a-3'], ['a-4'], ['a-5']]))
    await log.appendRoom(room('E.0.0', 'E.1.x', [ownRun(1, mine, [1], [[4, 'forbidden']])]), term)
    await log.appendRoom(room('E.1.x', 'E.6.x', [heldRun(2, mine, [0, 1, 2, 3, 4])]), term)
    mustEqual(
      await placesOf(log, mine),
      ['1@E.1', '4:forbidden', '0@E.2', '2@E.4', '3@E.5'],
      'what is said of an event first is what holds, and others get the places they came at',
    )
    await log.appendRoom(room('E.6.x', 'E.8.x', [ownRun(7, mine, [2, 3])]), term)
    mustEqual((await placesOf(log, mine)).length, 5, 'a part that says nothing new is none')
  })

  test('the last confirmed batch is that of the newest own run, and never goes back', async (log) => {
    const term = await joined(log)
    const first = await log.append(own([['a-1'], ['a-2'], ['a-3', { scope: 'device' }]]))
    const second = await log.append(own([['a-4'], ['a-5']]))
    const confirmed = async () => (await log.state()).room.confirmed
    await log.appendRoom(room('E.0.0', 'E.1.x', [ownRun(1, second, [], [[0, 'forbidden']])]), term)
    mustEqual(await confirmed(), { batch: second, id: 'a-4' }, 'a refusal confirms as well')
    await log.appendRoom(
      room('E.1.x', 'E.4.x', [ownRun(2, second, [1]), ownRun(3, first, [0, 1])]),
      term,
    )
    mustEqual(await confirmed(), { batch: second, id: 'a-5' }, 'of a batch, the last event counts')
    await log.appendRoom(room('E.4.x', 'E.5.x', [ownRun(5, second, [0])]), term)
    mustEqual(await confirmed(), { batch: second, id: 'a-5' }, 'an earlier one changes nothing')
  })

  test('places the room has lost hold no longer, and the events get others', async (log) => {
    const term = await joined(log)
    const mine = await log.append(own([['a-1'], ['a-2'], ['a-3']]))
    const other = await log.append(own([['a-4'], ['a-5']]))
    await log.appendRoom(
      room('E.0.0', 'E.5.x', [
        ownRun(1, mine, [0, 1, 2]),
        ownRun(4, other, [0], [[1, 'forbidden']]),
      ]),
      term,
    )
    await log.welcomed(
      welcome(term, {
        cursor: 'E.2.x',
        cut: { epoch: 'E', place: 2 },
        confirmed: { batch: mine, id: 'a-2' },
      }),
    )
    mustEqual(await placesOf(log, mine), ['0@E.1', '1@E.2'], 'the places before the cut hold')
    mustEqual(
      await log.placement(other),
      { batch: other, parts: [], lost: true },
      'those after it do not, nor what was refused',
    )
    mustEqual((await log.state()).room.pending, 2, 'what lost its place is pending again')
    await log.appendRoom(
      room('E.2.x', 'E.5.y', [heldRun(3, mine, [2]), ownRun(4, other, [0, 1])]),
      term,
    )
    mustEqual(await placesOf(log, mine), ['0@E.1', '1@E.2', '2@E.3'], 'new places hold')
    mustEqual(await placesOf(log, other), ['0@E.4', '1@E.5'], 'also instead of a refusal')
    await log.welcomed(welcome(term, { cursor: 'F.0.0', cut: { epoch: 'E', place: 0 } }))
    mustEqual(await placesOf(log, mine), [], 'with its epoch all places are gone')
    await log.appendRoom(room('F.0.0', 'F.3.x', [heldRun(1, mine, [0, 1, 2])], 'F'), term)
    mustEqual(await placesOf(log, mine), ['0@F.1', '1@F.2', '2@F.3'], 'and come anew')
  })

  test('what was refused by a conflict stays so, whatever the room loses', async (log) => {
    const term = await joined(log)
    const mine = await log.append(own([['a-1'], ['a-2']]))
    const run = ownRun(1, mine, [0], [[1, 'conflict', 3]])
    await log.appendRoom(room('E.0.0', 'E.1.x', [run]), term)
    await log.welcomed(welcome(term, { cursor: 'E.0.0', cut: { epoch: 'E', place: 0 } }))
    const refusals = async () => (await log.placement(mine))?.parts.flatMap((one) => one.refused)
    mustEqual(await refusals(), [[1, 'conflict', 3]], 'the refusal holds')
    mustEqual((await log.state()).room.pending, 1, 'and only the other is pending again')
    await log.appendRoom(room('E.0.0', 'E.1.y', [ownRun(1, mine, [0])]), term)
    mustEqual(await placesOf(log, mine), ['1:conflict', '0@E.1'], 'until it has its place')
    mustEqual(await refusals(), [[1, 'conflict', 3], undefined], 'beside the refusal')
  })

  test('gives the placements of a range of records', async (log) => {
    const term = await joined(log)
    const numbers = [
      await log.append(own([['a-1']])),
      await log.append(own([['a-2']])),
      await log.append(own([['a-3']])),
      await log.append(own([['a-4']])),
    ] as const
    const [first, , third, fourth] = numbers
    await log.appendRoom(
      room('E.0.0', 'E.3.x', [
        ownRun(1, first, [0]),
        ownRun(2, third, [0]),
        ownRun(3, fourth, [0]),
      ]),
      term,
    )
    const within = async (from: number, to: number) =>
      (await log.placements(from, to)).map(({ batch }) => batch)
    mustEqual(await within(0, Number.MAX_SAFE_INTEGER), [first, third, fourth], 'those placed')
    mustEqual(await within(first + 1, third), [third], 'both ends are included')
    mustEqual(await within(third, first), [], 'a range of nothing has none')
  })

  test('counts as pending what has neither place nor refusal', async (log) => {
    const term = await joined(log)
    const batches = [
      own([['a-1'], ['a-2', { scope: 'device' }]]),
      own([['a-3'], ['a-4'], ['a-5']]),
      own([['a-6', { scope: 'device' }]]),
    ]
    const [first, second] = [await log.append(batches[0]!), await log.append(batches[1]!)]
    await log.append(batches[2]!)
    const size = (n: number) => batches[n]!.headers.length + batches[n]!.data.length
    const pending = async () => {
      // What retention learns on its way must not change the count.
      await log.trim({ events: Infinity, bytes: Infinity, before: 0 })
      const { room: state } = await log.state()
      return [state.pending, state.pendingBytes]
    }
    mustEqual(await pending(), [4, size(0) + size(1)], 'at first all that is for the room')
    await log.appendRoom(
      room('E.0.0', 'E.2.x', [heldRun(1, second, [0, 2]), ownRun(3, first, [0])]),
      term,
    )
    mustEqual(await pending(), [1, size(1)], 'then what is left')
    await log.welcomed(welcome(term))
    mustEqual(await pending(), [1, size(1)], 'a place counts without being confirmed')
    await log.welcomed(welcome(term, { confirmed: { batch: second, id: 'a-5' } }))
    mustEqual(await pending(), [0, 0], 'what is confirmed is not looked at')
    await log.welcomed(welcome(term))
    mustEqual(await pending(), [1, size(1)], 'but it is where the relay takes that back')
    await log.welcomed(welcome(term, { cut: { epoch: 'E', place: 0 } }))
    mustEqual(await pending(), [4, size(0) + size(1)], 'and so is what lost its place')
    await log.welcomed(welcome(term, { confirmed: { batch: second, id: 'a-5' } }))
    mustEqual(await pending(), [0, 0], 'until it is confirmed again')
    const next = await log.takeTerm('next')
    await log.fork(next, { id: 'd'.repeat(22), secret: 's'.repeat(43) })
    mustEqual(await pending(), [4, size(0) + size(1)], 'a fork has confirmed nothing')
    const { room: unread } = await log.state(false)
    mustEqual([unread.pending, unread.pendingBytes], [0, 0], 'nor anything where nobody asks')
  })

  test('a welcome replaces what was confirmed, and remembers rights and gaps', async (log) => {
    const term = await joined(log)
    await log.welcomed(welcome(term, { confirmed: { batch: 7, id: 'a-9' }, reads: '["a.*"]' }))
    const { room: one } = await log.state()
    mustEqual([one.confirmed, one.reads], [{ batch: 7, id: 'a-9' }, '["a.*"]'], 'they are kept')
    for (let n = 1; n <= 120; n++) {
      const gap = { reason: 'trimmed', at: n, time: 1_000 + n, from: `E.${n}.x` }
      await log.welcomed(welcome(term, { gap: n === 120 ? { ...gap, lost: 'E.9.x' } : gap }))
    }
    const { room: two } = await log.state()
    must(two.confirmed === undefined, 'a relay that has no batch of the device takes it back')
    mustEqual(
      [two.gaps.length, two.gaps[0]?.at, two.gaps.at(-1)],
      [100, 21, { reason: 'trimmed', at: 120, time: 1_120, from: 'E.120.x', lost: 'E.9.x' }],
      'the last hundred gaps are kept, in order',
    )
  })

  test('reads a stream with the places its events came at', async (log) => {
    const term = await joined(log)
    const mine = await log.append(own([['a-1', { stream: 's' }]]))
    const theirs = await log.appendRoom(
      room('E.0.0', 'E.5.x', [
        ownRun(1, mine, [0]),
        { place: 2, time: 5, events: [header('z-1'), header('z-2', { stream: 's' })] },
        { place: 5, time: 5, events: [header('z-3', { stream: 's' })] },
      ]),
      term,
    )
    mustEqual(
      (await log.readStream('s')).map(({ batch, indexes, headers, places }) => [
        batch,
        indexes,
        headers.map(({ id }) => id),
        places ?? 'none',
      ]),
      [
        [mine, [0], ['a-1'], 'none'],
        [theirs, [2, 3], ['z-2', 'z-3'], { epoch: 'E', places: [3, 5] }],
      ],
      'slots and places of a room record; no placeholders',
    )
  })

  test('a fork is another device with the same records', async (log) => {
    const term = await joined(log)
    const number = await log.append(own([['a-1']]))
    await log.appendRoom(room('E.0.0', 'E.1.x', [ownRun(1, number, [0])]), term)
    const before = await log.state()
    const next = await log.takeTerm('next')
    const device = { id: 'd'.repeat(22), secret: 's'.repeat(43) }
    mustEqual(await codeOf(log.fork(term, device)), 'stale_term', 'only who leads may fork')
    await log.fork(next, device)
    const { logId, device: now, head, room: after } = await log.state()
    mustEqual([logId, now, head], [before.logId, device, before.head], 'the log stays what it was')
    mustEqual([after.cursor, after.subject], ['E.1.x', 'u'], 'so do its cursor and its owner')
    mustEqual([before.room.forked, after.forked], [undefined, head.batch], 'it knows since when')
    mustEqual(after.terms, [next], 'the new device has taken one term')
    must(after.confirmed === undefined, 'and no batch of it is confirmed')
    mustEqual(await placesOf(log, number), ['0@E.1'], 'what the room has stays placed')
    mustEqual(after.pending, 0, 'and is not sent again')
    const newer = await log.append(own([['a-2']]))
    must(newer > number, 'numbers go on')
    await log.welcomed(welcome(next, { confirmed: { batch: newer, id: 'a-2' } }))
    mustEqual((await log.state()).room.forked, head.batch, 'a welcome changes nothing of that')
    await log.welcomed(welcome(next))
    mustEqual((await log.state()).room.forked, newer, 'but where all is sent under the new id')
  })

  test('finds each id of a publisher whose numbers came out of order', async (log) => {
    const term = await joined(log)
    const batches = [
      ['z-1', 'z-8'],
      ['z-2', 'z-4'],
      ['z-3', 'z-9', 'z-5'],
    ]
    let prev = 'E.0.0'
    let place = 0
    for (const ids of batches) {
      const run = {
        place: place + 1,
        time: 5,
        events: ids.map((id) => header(id, { causationId: 'z-5' })),
      }
      place += ids.length
      const position = `E.${place}.x`
      await log.appendRoom(room(prev, position, [run]), term)
      prev = position
    }
    for (const id of batches.flat()) {
      const found = await log.find(id)
      must(found?.batch.headers[found.index]?.id === id, `${id} is found`)
    }
    must((await log.find('z-6')) === undefined, 'one that never came is not')
    mustEqual(
      [await log.highest('z'), await log.highest('zz'), await log.highest('h-1')],
      [9, 0, 0],
      'the highest number of a publisher is known',
    )
  })
}
