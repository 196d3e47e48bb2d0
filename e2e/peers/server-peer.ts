/** A peer in a server process: `server-peer.ts NAME RELAY_URL ROOM`, in Node and in Deno. */
import process from 'node:process'
import { memoryLog, relayLink } from '@crosstown/bus'
import { startPeer } from './peer.ts'

const [name = '', url = '', room = ''] = process.argv.slice(2)
const bus = startPeer(name, {
  name: 'talk',
  log: memoryLog(),
  tabs: false,
  relay: relayLink({ url, room }),
})
bus.status.subscribe(({ relay }) => {
  if (relay === 'online') console.log('online')
})
