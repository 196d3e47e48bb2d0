/**
 * The panel as a page, for what no extension is at hand: a relay serves it at `/inspector`, and it
 * opens session files.
 *
 * In its address, `room` is filled into the form that connects to the relay, and `channel` listens to
 * the buses of its own origin. `demo=10000` shows so many events that were made up; with `speed=1` as
 * fast as they would have come.
 */
import { browserEnv } from '../panel/browser.ts'
import { mount } from '../panel/main.tsx'
import { channelSource } from '../sources/channel.ts'
import { relaySource } from '../sources/relay.ts'
import type { InspectSource } from '../sources/source.ts'

const address = new URLSearchParams(location.search)
const sources: InspectSource[] = []
if (address.has('channel')) sources.push(channelSource(location.host))
const events = Number(address.get('demo'))
if (events > 0) {
  const { captureSources, makeCapture } = await import('./demo.ts')
  const speed = Number(address.get('speed')) || undefined
  // It has just ended, as if the panel had been open all the time.
  const { end, start } = makeCapture({ events })
  const capture = makeCapture({ events, start: Date.now() - (end - start) })
  sources.push(...captureSources(capture, speed))
}

/** The relay that serves this page, and the room in its address; never a token, which would be kept. */
function servedBy(): { readonly url: string; readonly room?: string } | undefined {
  const { href, pathname, protocol } = location
  if (!protocol.startsWith('http')) return undefined
  const room = address.get('room')
  const url = new URL('..', pathname.endsWith('/') ? href : `${href}/`)
  return { url: url.origin + url.pathname.replace(/\/$/, ''), ...(room && { room }) }
}

const relay = servedBy()

mount(document.querySelector('#panel') as Element, {
  sources,
  env: { ...browserEnv(), openRelay: relaySource, ...(relay && { relay }) },
})
