/** Events that were published before the capture began: asked of those who may have them in a log. */
import { type InspectedEvent, packIds } from '@crosstown/bus/inspect'
import { useEffect, useState } from 'react'
import type { Hub } from '../../model/model.ts'
import { askable } from '../shared/peer-select.tsx'

const MOST = 200

/** What was found so far, by id. Each id is asked for once. */
export function useHeaders(hub: Hub, ids: readonly string[]): ReadonlyMap<string, InspectedEvent> {
  const [found, setFound] = useState<ReadonlyMap<string, InspectedEvent>>(new Map())
  const [asked] = useState(() => new Set<string>())
  const text = ids.slice(0, MOST).join(' ')
  useEffect(() => {
    const missing = text.split(' ').filter((id) => id !== '' && !asked.has(id))
    if (missing.length === 0) return
    for (const id of missing) asked.add(id)
    // One of each device: its contexts share the log.
    const devices = new Map(askable(hub.session.peers.values()).map((peer) => [peer.device, peer]))
    for (const peer of devices.values()) {
      hub.ask(peer.id, { what: 'headers', ids: packIds(missing) }).then(
        ({ events }) => {
          if (events.length === 0) return
          setFound((before) => new Map([...before, ...events.map((one) => [one.id, one] as const)]))
        },
        // Who cannot say leaves the event as it is shown: not captured.
        () => {},
      )
    }
  }, [hub, text, asked])
  return found
}
