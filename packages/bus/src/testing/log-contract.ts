/** What every log must do. In comes a way to open one, out go tests of the runner given. */
import type { Log, StoredBatch } from '../log/log.ts'
import type { Run } from '../protocol/frames.ts'
import { consumerContract } from './log-contract-consumers.ts'
import { roomContract } from './log-contract-room.ts'
import { streamContract } from './log-contract-streams.ts'
import { upkeepContract } from './log-contract-upkeep.ts'
import { header, joined, own, promised, room } from './log-records.ts'
import { codeOf, must, mustEqual, type Runner } from './suite.ts'

export interface LogContractOptions {
  /** An empty log, not open yet. */
  create(): Log | Promise<Log>
  /** The same log again, after it was closed; absent where a log ends with its process. */
  reopen?: (log: Log) => Log | Promise<Log>
  /** Another user of the same log while the first has it open, as another context would be. */
  share?: (log: Log) => Log | Promise<Log>
}

/**
 * @example
 * import { describe, it } from 'vitest'
 * logContract('my log', { describe, it }, { create: () => new MyLog() })
 */
export function logContract(name: string, runner: Runner, options: LogContractOptions): void {
  const { describe, it } = runner
  const opened = async (): Promise<Log> => {
    const log = await options.create()
    await log.open()
    return log
  }
  const test = (title: string, body: (log: Log) => Promise<void>): void => {
    it(title, async () => {
      const log = await opened()
      try {
        await body(log)
      } finally {
        await log.close()
      }
    })
  }

  describe(`log contract: ${name}`, () => {
    test('a new log has an id, a device and nothing else', async (log) => {
      const state = await log.state()
      must(/^[A-Za-z0-9]{16,64}$/.test(state.logId), 'the log id is random text')
      must(state.device.id !== state.device.secret, 'device id and secret differ')
      mustEqual(state.head, { batch: 0, time: 0 }, 'it has no records')
      must(state.room.cursor === undefined, 'it has no cursor')
      mustEqual(state.room.pending, 0, 'nothing is pending')
      mustEqual(await log.read(1, 10), [], 'nothing can be read')
    })

    test('numbers ascend, in the order of the calls', async (log) => {
      const numbers = await Promise.all([1, 2, 3, 4, 5].map((n) => log.append(own([[`p-${n}`]]))))
      must(
        numbers.every((number, i) => i === 0 || number > (numbers[i - 1] as number)),
        'each number is higher than the one before',
      )
      const read = await log.read(0, 10)
      mustEqual(
        read.map((batch) => batch.headers[0]?.id),
        ['p-1', 'p-2', 'p-3', 'p-4', 'p-5'],
        'they are read in that order',
      )
      mustEqual(
        read.map((batch) => batch.batch),
        numbers,
        'under those numbers',
      )
    })

    test('headers and value texts come back unchanged', async (log) => {
      const texts = ['{"a":"\\n\\u2028"}', '-1', '[["Map",1,2],"ключ","🙂"]']
      const batch = own(
        [['p-1'], ['p-2', { encoding: 'devalue' }], ['p-3', { stream: 's', metadata: { n: 1 } }]],
        texts,
      )
      const number = await log.append(batch)
      const [read] = await log.read(number, 1)
      must(read?.kind === 'own', 'it is an own batch')
      mustEqual(read.headers, JSON.parse(batch.headers), 'the headers are the same')
      mustEqual(read.data, texts, 'the texts are the same')
      mustEqual(read.time, batch.time, 'the time of writing is the same')
      mustEqual(read.roomEvents, 3, 'it knows how many events are for the room')
    })

    test('reads what the records have of a stream', async (log) => {
      const stream = 's'
      const texts = ['{"a":1}', '-1', '{"b":[2]}']
      const first = await log.append(
        own(
          [
            ['p-1', { stream }],
            ['p-2', { stream: 'other' }],
            ['p-3', { stream }],
          ],
          texts,
        ),
      )
      await log.append(own([['p-4', { stream: 'other' }], ['p-5']]))
      const third = await log.append(own([['p-6', { stream }]], ['6']))
      const read = await log.readStream(stream)
      mustEqual(
        read.map(({ batch, indexes, headers, data }) => [
          batch,
          indexes,
          headers.map(({ id }) => id),
          data,
        ]),
        [
          [first, [0, 2], ['p-1', 'p-3'], ['{"a":1}', '{"b":[2]}']],
          [third, [0], ['p-6'], ['6']],
        ],
        'by record, with indexes, headers and value texts',
      )
      must(
        read.every(({ places }) => places === undefined),
        'own records place nothing',
      )
      mustEqual(await log.readStream('none'), [], 'of a stream that is not there, nothing')
      // What is read by record costs less when small records are one.
      await log.merge?.(false)
      mustEqual(
        (await log.readStream(stream)).map(({ batch }) => batch),
        [first, third],
        'merged records keep their numbers',
      )
    })

    test('reads forward and back, within limits', async (log) => {
      const numbers: number[] = []
      for (let n = 1; n <= 7; n++) numbers.push(await log.append(own([[`p-${n}`]])))
      const ids = (batches: StoredBatch[]) => batches.map((batch) => batch.headers[0]?.id)
      mustEqual(
        ids(await log.read(numbers[2] as number, 3)),
        ['p-3', 'p-4', 'p-5'],
        'read is ascending',
      )
      mustEqual(
        ids(await log.readBack(numbers[4] as number, 2)),
        ['p-5', 'p-4'],
        'readBack is descending',
      )
      mustEqual(
        ids(await log.readBack(Number.MAX_SAFE_INTEGER, 1)),
        ['p-7'],
        'readBack begins at the head',
      )
      mustEqual(
        await log.read((numbers[6] as number) + 1, 5),
        [],
        'there is nothing after the head',
      )
      mustEqual((await log.state()).head.batch, numbers[6], 'the state knows the head')
    })

    test('finds events by id', async (log) => {
      const first = await log.append(own([['a-1'], ['a-2'], ['b-1']]))
      const second = await log.append(own([['a-3'], ['h-0123abc'], ['b-5']]))
      for (const [id, batch, index] of [
        ['a-1', first, 0],
        ['a-2', first, 1],
        ['b-1', first, 2],
        ['a-3', second, 0],
        ['h-0123abc', second, 1],
        ['b-5', second, 2],
      ] as const) {
        const found = await log.find(id)
        mustEqual([found?.batch.batch, found?.index], [batch, index], `${id} is found where it is`)
      }
      for (const id of ['a-4', 'b-3', 'c-1', 'h-0123', 'nonsense', 'a-']) {
        must((await log.find(id)) === undefined, `${id} is not found`)
      }
    })

    test('counts what is for the room and not confirmed', async (log) => {
      await log.append(own([['p-1'], ['p-2', { scope: 'device' }]]))
      await log.append(own([['p-3', { scope: 'device' }]]))
      mustEqual((await log.state()).room.pending, 1, 'events of scope device are not counted')
    })

    test('takes terms that ascend', async (log) => {
      const first = await log.takeTerm('aaaa')
      const second = await log.takeTerm('bbbb')
      must(second[0] > first[0], 'the second term is higher')
      mustEqual(
        (await log.state()).room.terms,
        [first, second],
        'both are remembered until a welcome',
      )
      await log.welcomed({ term: second, cursor: 'E.0.0', liveAfter: 0, subject: 'u', reads: '[]' })
      mustEqual((await log.state()).room.terms, [second], 'a welcome forgets the older ones')
      mustEqual((await log.state()).room.subject, 'u', 'and remembers the subject')
      mustEqual(
        await codeOf(
          log.welcomed({ term: first, cursor: 'E.0.0', liveAfter: 0, subject: 'u', reads: '[]' }),
        ),
        'stale_term',
        'a leader whose term is over cannot write',
      )
    })

    test('commits room batches with their cursor', async (log) => {
      const term = await joined(log)
      const number = await log.appendRoom(
        room('E.0.0', 'E.2.x', [{ place: 1, time: 5, events: [header('z-1'), header('z-2')] }]),
        term,
      )
      const state = await log.state()
      mustEqual(state.room.cursor, 'E.2.x', 'the cursor moved')
      mustEqual(state.room.older, ['E.0.0'], 'the position before is kept')
      const [read] = await log.read(number, 1)
      must(read?.kind === 'room', 'it is a room batch')
      mustEqual(
        [read.prev, read.position, read.epoch, read.headers.map((h) => h.id)],
        ['E.0.0', 'E.2.x', 'E', ['z-1', 'z-2']],
        'it comes back as it was',
      )
      mustEqual((await log.find('z-2'))?.index, 1, 'its events are found by id')
    })

    test('refuses a room batch that does not follow, and changes nothing', async (log) => {
      const term = await joined(log)
      const run: Run = { place: 5, time: 5, events: [header('z-1')] }
      mustEqual(
        await codeOf(log.appendRoom(room('E.4.x', 'E.5.x', [run]), term)),
        'stale_cursor',
        'a hole is refused',
      )
      const next = await log.takeTerm('next')
      mustEqual(
        await codeOf(log.appendRoom(room('E.0.0', 'E.1.x', [run]), term)),
        'stale_term',
        'an old leader is refused',
      )
      mustEqual((await log.state()).room.cursor, 'E.0.0', 'the cursor stands where it stood')
      mustEqual(await log.read(0, 10), [], 'no record was written')
      await log.appendRoom(
        room('E.0.0', 'E.1.x', [{ place: 1, time: 5, events: [header('z-1')] }]),
        next,
      )
    })

    test('of two batches that follow the same cursor, one is taken', async (log) => {
      const term = await joined(log)
      const batch = () => room('E.0.0', 'E.1.x', [{ place: 1, time: 5, events: [header('z-1')] }])
      const results = await Promise.allSettled([
        log.appendRoom(batch(), term),
        log.appendRoom(batch(), term),
      ])
      mustEqual(
        results.map((result) => result.status).sort(),
        ['fulfilled', 'rejected'],
        'exactly one is taken',
      )
      mustEqual((await log.read(0, 10)).length, 1, 'it is there once')
    })

    test('an empty advance moves the cursor and leaves no record', async (log) => {
      const term = await joined(log)
      mustEqual(await log.appendRoom(room('E.0.0', 'E.9.y', []), term), 0, 'it has no number')
      mustEqual((await log.state()).room.cursor, 'E.9.y', 'the cursor moved')
      mustEqual(await log.read(0, 10), [], 'there is no record')
    })

    test('places own batches where the room confirmed them', async (log) => {
      const term = await joined(log)
      const first = await log.append(own([['p-1'], ['p-2'], ['p-3']]))
      const second = await log.append(own([['p-4']]))
      must((await log.placement(first)) === undefined, 'before, there is no placement')
      const runs: Run[] = [
        { place: 1, time: 5, events: [header('z-1')] },
        { place: 2, time: 5, own: { batch: first, indexes: [0, 2], refused: [[1, 'forbidden']] } },
        { place: 4, time: 5, events: [header('z-2')] },
      ]
      const record = await log.appendRoom(room('E.0.0', 'E.4.x', runs), term)
      mustEqual(
        await log.placement(first),
        {
          batch: first,
          parts: [{ record, epoch: 'E', place: 2, indexes: [0, 2], refused: [[1, 'forbidden']] }],
        },
        'it says where, and what was refused',
      )
      must((await log.placement(second)) === undefined, 'the other one has none')
      const { room: state } = await log.state()
      mustEqual(
        state.confirmed,
        { batch: first, id: 'p-3' },
        'the last confirmed batch is known by its last id',
      )
      mustEqual(state.pending, 1, 'one event is left in the outbox')
      mustEqual((await log.find('z-2'))?.index, 3, 'placeholders take slots')
    })

    test('after close nothing is written any more', async (log) => {
      await log.append(own([['p-1']]))
      await log.close()
      mustEqual(
        await codeOf(promised(() => log.append(own([['p-2']])))),
        'closed',
        'append is rejected',
      )
    })

    roomContract(test)
    upkeepContract(test, options.share)
    consumerContract(test, it, opened, options.reopen)
    streamContract(test, options.share)

    const { reopen } = options
    if (!reopen) return
    test('everything is there after it was closed and opened again', async (log) => {
      const term = await joined(log)
      const number = await log.append(own([['p-1', { stream: 's' }]]))
      await log.appendRoom(
        room('E.0.0', 'E.1.x', [{ place: 1, time: 5, own: { batch: number, indexes: [0] } }]),
        term,
      )
      const last = await log.append(own([['p-2']]))
      const before = await log.state()
      await log.close()
      const again = await reopen(log)
      const after = await again.open()
      mustEqual(after, before, 'the state is the same')
      mustEqual((await again.read(0, 10)).length, 3, 'so are the records')
      const next = await again.append(own([['q-1']]))
      must(next > last, 'no number is used twice')
      await again.close()
    })
  })
}
