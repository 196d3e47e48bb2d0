/**
 * The panel as a page, for what no extension is at hand: a relay serves it at `/inspector`, and from
 * a disk it opens session files.
 */
import { browserEnv } from '../panel/browser.ts'
import { mount } from '../panel/main.tsx'
import { relaySource } from '../sources/relay.ts'

/** The relay that serves this page, and the room in its address; never a token, which would be kept. */
function servedBy(): { readonly url: string; readonly room?: string } | undefined {
  const { href, pathname, protocol, search } = location
  if (!protocol.startsWith('http')) return undefined
  const room = new URLSearchParams(search).get('room')
  const url = new URL('..', pathname.endsWith('/') ? href : `${href}/`)
  return { url: url.origin + url.pathname.replace(/\/$/, ''), ...(room && { room }) }
}

const relay = servedBy()

mount(document.querySelector('#panel') as Element, {
  sources: [],
  env: { ...browserEnv(), openRelay: relaySource, ...(relay && { relay }) },
})
