import type { Answers, Ask } from '@crosstown/bus/inspect'
import { expect, test, vi } from 'vitest'
import type { EventRow, Hub } from '../../model/model.ts'
import { Previews } from './previews.ts'

interface Asked {
  readonly event: string
  answer(preview: string): void
  fail(): void
}

/** A hub of one peer that answers when it is told to. */
function hubOf(asked: Asked[]): Hub {
  const hub: Pick<Hub, 'ask' | 'session'> = {
    session: {
      peers: new Map([['a', { state: 'live' }]]),
      steps: () => [],
    } as never,
    ask: (_, ask: Ask) =>
      new Promise((resolve, reject) => {
        if (ask.what !== 'payload') throw new Error(`not asked for here: ${ask.what}`)
        asked.push({
          event: ask.event,
          answer: (preview) =>
            resolve({ type: 'object', preview } satisfies Answers['payload'] as never),
          fail: () => reject(new Error('gone')),
        })
      }),
  }
  return hub as Hub
}

const row = (number: number) => ({ id: `a-${number}`, publisher: 'a' }) as EventRow

test('so many are asked for at once, and each only once', async () => {
  const asked: Asked[] = []
  const previews = new Previews(hubOf(asked), () => {})
  const rows = Array.from({ length: 20 }, (_, i) => row(i))
  previews.want(rows)
  expect(asked).toHaveLength(8)
  expect(previews.get('a-0')).toBeUndefined()
  asked[0]?.answer('{id: 0}')
  await vi.waitFor(() => expect(asked).toHaveLength(9))
  expect(previews.get('a-0')).toBe('{id: 0}')
  previews.want(rows)
  expect(new Set(asked.map(({ event }) => event)).size).toBe(asked.length)
})

test('what is passed is not asked for any more', async () => {
  const asked: Asked[] = []
  const previews = new Previews(hubOf(asked), () => {})
  previews.want(Array.from({ length: 20 }, (_, i) => row(i)))
  previews.want([row(100)])
  asked[0]?.fail()
  await vi.waitFor(() => expect(asked.at(-1)?.event).toBe('a-100'))
  expect(asked).toHaveLength(9)
  expect(previews.get('a-0')).toBe('')
})
