/** A page of an application in one of its versions: `?name=&version=&relay=&room=`. */
import { type Bus, relayLink } from '@crosstown/bus'
import { openVersion, type Read, said } from '../peers/versions.ts'

declare global {
  var app: Bus<Record<string, unknown>>
  /** What the log has of carts, in every way there is to read it. */
  var readings: (id: string) => Promise<Record<string, Read | undefined>>
}

const query = new URLSearchParams(location.search)
const bus = openVersion(query.get('version'), {
  name: 'versions',
  source: query.get('name') ?? 'page',
  relay: relayLink({ url: query.get('relay') ?? '', room: query.get('room') ?? '' }),
}) as Bus<Record<string, unknown>>

async function found(events: AsyncIterable<Parameters<typeof said>[0]>, id: string) {
  for await (const event of events) if (event.id === id) return said(event)
  return undefined
}

globalThis.app = bus
globalThis.readings = async (id) => {
  const event = await bus.get(id)
  const inStream = (await bus.loadStream('cart-1')).find((one) => one.id === id)
  return {
    get: event && said(event),
    loadStream: inStream && said(inStream),
    replay: await found(bus.replay({ pattern: 'cart.added' }), id),
    'replay, room': await found(bus.replay({ pattern: 'cart.added', order: 'room' }), id),
    events: event && (await found(bus.events('cart.added', { from: 'start' }), id)),
  }
}
