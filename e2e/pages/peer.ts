/** The script of a page, an iframe, a worker and a service worker: `?name=&relay=&room=`. */
import { type Bus, createBus, createCursorStore, indexedDbLog, relayLink } from '@crosstown/bus'
import { fingerprint, VALUES } from '@crosstown/bus/testing'
import { startPeer } from '../peers/peer.ts'

declare global {
  var peer: Bus<Record<string, unknown>>
  var testing: {
    createBus: typeof createBus
    createCursorStore: typeof createCursorStore
    fingerprint: typeof fingerprint
    VALUES: typeof VALUES
  }
}

const query = new URLSearchParams(location.search)
const relay = query.get('relay')
globalThis.testing = { createBus, createCursorStore, fingerprint, VALUES }
globalThis.peer = startPeer(query.get('name') ?? 'peer', {
  name: 'talk',
  log: indexedDbLog({ required: true }),
  ...(relay === null
    ? {}
    : { relay: relayLink({ url: relay, room: query.get('room') ?? 'room' }) }),
}) as unknown as Bus<Record<string, unknown>>

// A page brings up the other contexts it is asked for, each with a query of its own.
if ('document' in globalThis) {
  for (const kind of query.getAll('with')) {
    const others = new URLSearchParams(query)
    others.delete('with')
    others.set('name', `${query.get('name')}-${kind}`)
    if (kind === 'iframe') {
      const frame = document.createElement('iframe')
      frame.src = `/?${others}`
      document.body.append(frame)
    } else if (kind === 'worker') {
      new Worker(`/peer.js?${others}`, { type: 'module' })
    } else if (kind === 'sw') {
      void navigator.serviceWorker.register(`/peer.js?${others}`, { type: 'module' })
    }
  }
} else {
  addEventListener('install', () =>
    (globalThis as unknown as { skipWaiting?(): void }).skipWaiting?.(),
  )
}
