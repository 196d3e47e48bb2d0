/** A peer in a server process: `versions-peer.ts NAME VERSION RELAY_URL ROOM [ITEM]`. */
import process from 'node:process'
import { type Bus, memoryLog, relayLink } from '@crosstown/bus'
import { openVersion } from './versions.ts'

const [source = '', version = '', url = '', room = '', item] = process.argv.slice(2)
const bus = openVersion(version, {
  name: 'versions',
  source,
  log: memoryLog(),
  tabs: false,
  relay: relayLink({ url, room }),
}) as Bus<Record<string, unknown>>
bus.status.subscribe(({ relay }) => {
  if (relay === 'online') console.log('online')
})
if (item !== undefined) {
  const { id } = await bus.publish('cart.added', { item }, { until: 'relayed' })
  console.log(`published ${id}`)
}
