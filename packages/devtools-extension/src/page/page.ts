/**
 * The panel as a page, for what no extension is at hand: a relay serves it at `/inspector`, and it
 * opens session files.
 *
 * In its address, `room` is that of the relay which serves it, and `channel` listens to the buses of its
 * own origin. `demo=10000` shows so many events that were made up, up to `burst` of them
 * published at once; with `speed=1` as fast as they would have come.
 */
import { browserEnv } from '../panel/browser.ts'
import { mount } from '../panel/main.tsx'
import { channelSource } from '../sources/channel.ts'
import { fileSource } from '../sources/file.ts'
import { relaySource } from '../sources/relay.ts'
import type { InspectSource } from '../sources/source.ts'
import { keepToken, keptToken, servedBy } from './served.ts'

const address = new URLSearchParams(location.search)
const sources: InspectSource[] = []
if (address.has('channel')) sources.push(channelSource(location.host))
const events = Number(address.get('demo'))
if (events > 0) {
  const { captureSources, makeCapture } = await import('./demo.ts')
  const speed = Number(address.get('speed')) || undefined
  // It has just ended, as if the panel had been open all the time.
  const options = { events, burst: Number(address.get('burst')) || 40 }
  const { end, start } = makeCapture(options)
  const capture = makeCapture({ ...options, start: Date.now() - (end - start) })
  sources.push(...captureSources(capture, speed))
}

// Served by a relay, it shows the room in its address at once, with the token given before in this tab.
const served = servedBy(location.href)
if (served?.room !== undefined) {
  const token = keptToken()
  sources.push(relaySource({ url: served.url, room: served.room, token }))
}

await mount(document.querySelector('#panel') as Element, {
  sources,
  env: {
    ...browserEnv(),
    keepsToken: true,
    openFile: fileSource,
    openRelay(relay) {
      keepToken(relay.token)
      return relaySource(relay)
    },
    ...(served && { relay: { ...served, token: keptToken() } }),
  },
})
