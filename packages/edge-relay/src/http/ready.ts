/** `GET /health`: the process answers. `GET /ready`: it may be sent devices. */
import { BusError } from '@crosstown/bus/protocol'
import type { Context } from 'hono'
import type { Platform } from '../platform.ts'
import type { Store } from '../stores/store.ts'

/** How long the store has to answer. */
const STORE_MS = 2_000

/** Whether the relay may be sent devices. @throws {BusError} going_away, unavailable */
export async function answerReady(
  c: Context,
  store: Store,
  platform: Platform,
  draining: boolean,
): Promise<Response> {
  c.header('Cache-Control', 'no-store')
  if (draining) throw new BusError('going_away', 'the relay sends its devices away')
  if (!(await within(platform, STORE_MS, store.rooms('', 1))))
    throw new BusError('unavailable', 'the store does not answer')
  return c.json({ status: 'ready' })
}

/** Whether something is done, and went well, in so many milliseconds. */
async function within(platform: Platform, ms: number, what: Promise<unknown>): Promise<boolean> {
  let stop = (): void => {}
  const over = new Promise<boolean>((resolve) => {
    stop = platform.every(ms, () => resolve(false))
  })
  const done = what.then(
    () => true,
    () => false,
  )
  const answered = await Promise.race([done, over])
  stop()
  return answered
}
