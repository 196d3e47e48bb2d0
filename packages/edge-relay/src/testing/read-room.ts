/** What a relay has of the room that tests meet in. */
import type { Said, Seen } from './kill-device.ts'
import { ROOM } from './relay-handle.ts'

/** All events of the load, in the room's order, over HTTP. */
export async function readRoom(url: string): Promise<Seen[]> {
  const seen: Seen[] = []
  let after = ''
  for (;;) {
    const query = `type=load.said&limit=1000${after && `&after=${encodeURIComponent(after)}`}`
    const response = await fetch(`${url}/rooms/${ROOM}/events?${query}`)
    const page = (await response.json()) as {
      events: { id: string; position: string; data: Said }[]
      next?: string
    }
    seen.push(...page.events.map(({ id, position, data }) => ({ id, position, said: data })))
    if (page.next === undefined) return seen
    after = page.next
  }
}
