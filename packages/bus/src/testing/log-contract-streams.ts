/** What every log must do to tell which event of its stream one is. */
import { isBusError } from '../errors.ts'
import type { EventHeader } from '../event.ts'
import type { ExpectedInLog, Log, RetentionLimits } from '../log/log.ts'
import { joined, type LogTest, own, room } from './log-records.ts'
import { must, mustEqual } from './suite.ts'

const NONE: RetentionLimits = { events: Infinity, bytes: Infinity, before: 0 }

/** An own batch, one event for each stream. */
function batchOf(id: string, ...streams: string[]) {
  return own(
    streams.map((stream, i): [string, Partial<EventHeader>] => [`${id}-${i + 1}`, { stream }]),
  )
}

/** The number of a batch of one event that was taken, or the revision because of which it was not. */
async function attempt(
  log: Log,
  id: string,
  stream: string,
  expected: ExpectedInLog['expected'],
): Promise<string> {
  let revision = -1
  try {
    await log.appendExpected(
      batchOf(id, stream),
      [{ stream, before: 0, expected }],
      (revisions) => {
        revision = (revisions.get(stream) ?? -1) + 1
      },
    )
    return `is ${revision}`
  } catch (error) {
    if (!isBusError(error, 'conflict')) throw error
    return revision < 0 ? `conflict at ${error.currentRevision}` : 'told of what is not there'
  }
}

export function streamContract(test: LogTest, share?: (log: Log) => Log | Promise<Log>): void {
  test('appends where a stream is as expected, and only there', async (log) => {
    mustEqual(await attempt(log, 'a', 's', 1), 'conflict at 0', 'nothing is not revision 1')
    mustEqual(await attempt(log, 'b', 's', 'exists'), 'conflict at 0', 'nor is it there')
    mustEqual(await attempt(log, 'c', 's', 'none'), 'is 1', 'it is new')
    mustEqual(await attempt(log, 'd', 's', 'none'), 'conflict at 1', 'once')
    mustEqual(await attempt(log, 'e', 's', 'exists'), 'is 2', 'then it is there')
    await log.append(batchOf('f', 's', 't', 's'))
    mustEqual(await attempt(log, 'g', 's', 2), 'conflict at 4', 'what expects nothing counts')
    mustEqual(await attempt(log, 'h', 's', 4), 'is 5', 'as do all events of a batch')
    mustEqual(await attempt(log, 'i', 's', 5), 'is 6', 'and one after the other')
    mustEqual(await attempt(log, 'j', 't', 1), 'is 2', 'each stream has its own')
    const records = await log.read(0, 100)
    mustEqual(
      records.map(({ headers }) => headers[0]?.id),
      ['c-1', 'e-1', 'f-1', 'h-1', 'i-1', 'j-1'],
      'what is refused is not in the log',
    )
    mustEqual(
      (await log.readStream('s')).flatMap(({ headers }) => headers.map(({ id }) => id)),
      ['c-1', 'e-1', 'f-1', 'f-3', 'h-1', 'i-1'],
      'and what is taken is in its stream',
    )
  })

  test('judges the events of a batch with those before them', async (log) => {
    const two = [
      { stream: 's', before: 0, expected: 'none' },
      { stream: 's', before: 1, expected: 1 },
    ] as const
    await log.appendExpected(batchOf('a', 's', 's'), two)
    mustEqual(await log.countStreams(['s', 't'], 99), [2, 0], 'both are in the log')
    const third = [
      { stream: 't', before: 0, expected: 'none' },
      { stream: 's', before: 0, expected: 1 },
    ] as const
    const failed = await log.appendExpected(batchOf('b', 't', 's'), third).then(
      () => undefined,
      (error: unknown) => (isBusError(error, 'conflict') ? error.currentRevision : error),
    )
    mustEqual(failed, 2, 'one that does not hold refuses the batch')
    mustEqual(await log.countStreams(['s', 't'], 99), [2, 0], 'as a whole')
  })

  test('counts a stream up to a record', async (log) => {
    const first = await log.append(batchOf('a', 's', 't'))
    const second = await log.append(batchOf('b', 's', 's'))
    await log.append(own([['c-1']]))
    const last = await log.append(batchOf('d', 't'))
    const counts = async (before: number) => log.countStreams(['s', 't', 'u'], before)
    mustEqual(await counts(first), [0, 0, 0], 'nothing is before the first')
    mustEqual(await counts(second), [1, 1, 0], 'then what the first has')
    mustEqual(await counts(last), [3, 1, 0], 'and all but the last')
  })

  test('goes on with the revisions of a stream whose events were trimmed', async (log) => {
    for (let n = 1; n <= 3; n++) await log.append(batchOf(`a${n}`, 's', 't'))
    mustEqual(await attempt(log, 'b', 's', 3), 'is 4', 'counted once before')
    await log.append(batchOf('c', 's'))
    const trim = async (events: number) => {
      while ((await log.trim({ ...NONE, events }, false)).more);
      return (await log.state()).first
    }
    mustEqual(await log.countStreams(['s', 't'], await trim(4)), [2, 2], 'two of each are gone')
    must((await log.countStreams(['s'], 1)) === undefined, 'what is gone cannot be counted up to')
    mustEqual(await log.countStreams(['s', 't'], await trim(1)), [4, 3], 'then all but one')
    mustEqual(await attempt(log, 'd', 't', 'none'), 'conflict at 3', 'a stream without events')
    mustEqual(await attempt(log, 'e', 't', 3), 'is 4', 'goes on where it was')
    mustEqual(await attempt(log, 'f', 's', 5), 'is 6', 'as does the other')
  })

  test('keeps the revisions that the room gave with its places', async (log) => {
    const term = await joined(log)
    const mine = await log.append(batchOf('a', 's', 's', 's'))
    const run = { batch: mine, indexes: [0, 1, 2], revisions: [4, 5, 6] }
    await log.appendRoom(room('E.0.0', 'E.3.x', [{ place: 1, time: 1, own: run }]), term)
    const parts = async () =>
      (await log.placement(mine))?.parts.map(({ indexes, revisions }) => [indexes, revisions])
    mustEqual(
      await parts(),
      [
        [
          [0, 1, 2],
          [4, 5, 6],
        ],
      ],
      'of own events',
    )
    await log.welcomed({
      term,
      cursor: 'E.1.x',
      liveAfter: 0,
      subject: 'u',
      reads: '[]',
      cut: { epoch: 'E', place: 1 },
    })
    mustEqual(await parts(), [[[0], [4]]], 'and drops them together')
    must((await log.placement(mine))?.lost === true, 'knowing that there were others')
    const held = { batch: mine, indexes: [2, 1], revisions: [5, 6] }
    await log.appendRoom(room('E.1.x', 'E.3.y', [{ place: 2, time: 1, held }]), term)
    mustEqual(
      await parts(),
      [
        [[0], [4]],
        [
          [2, 1],
          [5, 6],
        ],
      ],
      'then they have others',
    )
  })

  if (share) {
    test('two users that write to one stream get each revision once', async (log) => {
      const other = await share(log)
      await other.open()
      const write = async (user: Log, name: string): Promise<number[]> => {
        const revisions: number[] = []
        let known = 0
        for (let n = 0; revisions.length < 10; n++) {
          const expected = known === 0 ? 'none' : known
          const said = await attempt(user, `${name}${n}`, 's', expected)
          known = Number(said.split(' ').at(-1))
          if (said.startsWith('is')) revisions.push(known)
        }
        return revisions
      }
      const all = await Promise.all([write(log, 'a'), write(other, 'b')])
      mustEqual(
        all.flat().sort((a, b) => a - b),
        Array.from({ length: 20 }, (_, i) => i + 1),
        'without a gap',
      )
      await other.close()
    })
  }
}
