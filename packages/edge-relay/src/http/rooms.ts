/** The routes about a room as a whole. */
import { BusError } from '@crosstown/bus/protocol'
import type { Context } from 'hono'
import type { Identity } from '../auth.ts'
import { cursorAt, headEvent } from '../record.ts'
import type { Store } from '../stores/store.ts'

/** `GET /rooms/:room/stats`: what a room holds. @throws {BusError} not_found */
export async function answerStats(
  c: Context,
  store: Store,
  room: string,
  connections: number,
): Promise<Response> {
  const stats = await store.stats(room)
  if (!stats) throw noRoom()
  const { events, bytes, devices, head } = stats
  const first = cursorAt(head.epoch, await store.first(room))
  return c.json({ events, bytes, first, head: headEvent(head), devices, connections })
}

/** `DELETE /rooms/:room`. @throws {BusError} forbidden, not_found */
export async function answerDelete(
  c: Context,
  { rights }: Identity,
  deleteRoom: () => Promise<boolean>,
): Promise<Response> {
  if (rights.delete !== true)
    throw new BusError('forbidden', 'the token does not allow deleting this room')
  if (!(await deleteRoom())) throw noRoom()
  return c.body(null, 204)
}

function noRoom(): BusError {
  return new BusError('not_found', 'no such room')
}
