// What is published without a device, by HTTP: some of it with ids of its publisher, who sends it
// again until it has an answer.
import type { TestNetwork } from '@crosstown/bus/testing'
import type { Work } from './actions.ts'
import type { Ledger, Post } from './ledger.ts'
import { PRISTINE, ROOM } from './place.ts'

/** When a publisher that got no answer sends again, in virtual milliseconds. */
const AGAIN_MS = 700
/** Answers that will be the same next time. */
const FINAL = new Set(['forbidden', 'too_large', 'invalid_options'])

/** Posts events; resolves when the publisher is done, whatever came of it. */
export async function post(
  network: TestNetwork,
  ledger: Ledger,
  { count, own, type }: Extract<Work, { do: 'post' }>,
): Promise<void> {
  const entry = ledger.post(count)
  const body = entry.keys.map((key) => ({
    type,
    data: { key, persist: true, mark: PRISTINE },
    ...(own && { id: key }),
  }))
  while (!(await attempt(network, entry, body)) && own)
    await new Promise<void>((resolve) => void network.after(AGAIN_MS, resolve, 'post again'))
}

/** Whether that is the end of it. */
async function attempt(network: TestNetwork, entry: Post, body: unknown): Promise<boolean> {
  try {
    entry.events = await network.relay.post(ROOM, body)
    entry.state = 'taken'
    return true
  } catch (error) {
    const { code } = error as { code?: string }
    entry.state = code !== undefined && FINAL.has(code) ? 'refused' : 'unanswered'
    return entry.state === 'refused'
  }
}
