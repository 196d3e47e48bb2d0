/** What every log must do for durable consumers. */
import type { Log } from '../log/log.ts'
import type { LogTest } from './log-records.ts'
import { must, mustEqual } from './suite.ts'

const letter = (text: string) => ({ consumer: 'mail', text })

export function consumerContract(
  test: LogTest,
  it: (title: string, body: () => Promise<void>) => void,
  opened: () => Promise<Log>,
  reopen?: (log: Log) => Log | Promise<Log>,
): void {
  test('keeps where a consumer stands, and who may write it', async (log) => {
    mustEqual(await log.consumer('mail'), undefined, 'there is none at first')
    const row = { name: 'mail', generation: 1, state: '{"a":"\\n"}' }
    mustEqual(await log.writeConsumer({ ...row, expected: 0 }), 0, 'the first turn makes it')
    mustEqual(await log.consumer('mail'), row, 'it comes back as it is')
    mustEqual(
      await log.writeConsumer({ ...row, state: 'late', expected: 0 }),
      undefined,
      'who thinks there is none writes nothing',
    )
    mustEqual(
      await log.writeConsumer({ ...row, state: 'two', expected: 1 }),
      0,
      'its holder writes it again',
    )
    mustEqual(
      await log.writeConsumer({ ...row, generation: 2, state: 'three', expected: 1 }),
      0,
      'the next turn takes it',
    )
    mustEqual(
      await log.writeConsumer({ ...row, state: 'late', expected: 1, dead: [letter('late')] }),
      undefined,
      'who had it before writes nothing',
    )
    mustEqual(await log.deadLetters(), [], 'not even a dead letter')
    await log.writeConsumer({ name: 'a b:ü', generation: 1, state: '', expected: 0 })
    mustEqual(
      (await log.consumers()).map(({ name, state }) => [name, state]),
      [
        ['a b:ü', ''],
        ['mail', 'three'],
      ],
      'all are there, by name',
    )
    await log.removeConsumer('mail')
    mustEqual(await log.consumer('mail'), undefined, 'one that was removed is gone')
    mustEqual(await log.snapshot('a b:ü'), undefined, 'none of them is a snapshot')
  })

  test('of two who take the same turn one gets it', async (log) => {
    const row = { name: 'mail', generation: 1, state: '' }
    const writes = await Promise.all(
      [1, 2, 3].map(() => log.writeConsumer({ ...row, expected: 0 })),
    )
    mustEqual(writes.filter((written) => written === 0).length, 1, 'one')
  })

  test('keeps dead letters, changes and removes them', async (log) => {
    const write = { name: 'mail', generation: 1, state: '' }
    const dead = [letter('one'), letter('two'), letter('three')]
    await log.writeConsumer({ ...write, expected: 0, dead })
    const rows = await log.deadLetters()
    mustEqual(
      rows.map(({ consumer, text }) => ({ consumer, text })),
      dead,
      'in order',
    )
    const [first, second, third] = rows.map(({ id }) => id) as [number, number, number]
    must(first < second && second < third, 'under ascending numbers')
    const changes = new Map([
      [first, undefined],
      [third, '3'],
      [third + 100, 'none'],
    ])
    mustEqual(await log.changeDead(changes), [first, third], 'it says which were there')
    mustEqual(
      (await log.deadLetters()).map(({ id, text }) => [id, text]),
      [
        [second, 'two'],
        [third, '3'],
      ],
      'the rest is as it was',
    )
    await log.changeDead(new Map([[third, undefined]]))
    await log.writeConsumer({ ...write, expected: 1, dead: [letter('four')] })
    const newest = (await log.deadLetters()).at(-1)
    must((newest?.id ?? 0) > third, 'a number is never used twice')
  })

  test('keeps a thousand dead letters, and tells how many went', async (log) => {
    const write = { name: 'mail', generation: 1, state: '' }
    const many = (count: number) => Array.from({ length: count }, (_, n) => letter(`${n}`))
    mustEqual(await log.writeConsumer({ ...write, expected: 0, dead: many(998) }), 0, 'room')
    mustEqual(await log.writeConsumer({ ...write, expected: 1, dead: many(5) }), 3, 'no room')
    const rows = await log.deadLetters()
    mustEqual([rows.length, rows[0]?.text], [1_000, '3'], 'the oldest went')
    const long = 'x'.repeat(3 * 1_024 * 1_024)
    const gone = await log.writeConsumer({
      ...write,
      expected: 1,
      dead: [1, 2, 3].map(() => letter(long)),
    })
    mustEqual(gone, 1_001, 'nor room for long ones')
    mustEqual((await log.deadLetters()).length, 2, 'but for the newest')
  })

  if (!reopen) return
  it('has consumers and dead letters when it is opened again', async () => {
    const log = await opened()
    const row = { name: 'mail', generation: 3, state: 'here' }
    await log.writeConsumer({ ...row, expected: 0, dead: [letter('one')] })
    await log.close()
    const again = await reopen(log)
    await again.open()
    try {
      mustEqual(await again.consumer('mail'), row, 'the row is there')
      mustEqual((await again.deadLetters())[0]?.text, 'one', 'the letter is, too')
    } finally {
      await again.close()
    }
  })

  it('has neither after it was cleared', async () => {
    const log = await opened()
    const row = { name: 'mail', generation: 1, state: '' }
    await log.writeConsumer({ ...row, expected: 0, dead: [letter('one')] })
    await log.clear()
    const again = await reopen(log)
    await again.open()
    try {
      mustEqual([await again.consumers(), await again.deadLetters()], [[], []], 'nothing is left')
    } finally {
      await again.close()
    }
  })
}
