/**
 * The pages of one tab, through the browser's extension. What is heard there is all of the page's
 * origin: its other tabs and its workers too. Comes back by itself after a reload, a navigation, the
 * back/forward cache, and a router that was suspended. Frames of several origins can be in a tab: each
 * hears what is for its own peers, and speaks for no others.
 */
import type { InspectorFrame } from '@crosstown/bus/inspect'
import type { Doors, Pipe } from './doors.ts'
import type { InspectSource, SourceSink } from './source.ts'
import { isTapFrame, Parts, partsOf, peerOf } from './wire.ts'

/** What the panel can find out about the tab when no frame of it answers. */
export interface TabAccess {
  /**
   * `none`: no site, or one of the browser's own; `site`: the extension was not given this one;
   * `granted`: it should have been heard, so its page is older than the extension.
   */
  state(): Promise<
    { readonly access: 'none' } | { readonly access: 'site' | 'granted'; readonly site: string }
  >
}

export interface ExtensionSourceOptions {
  readonly doors: Doors
  readonly tab: TabAccess
  /** For tests. @default setTimeout */
  readonly later?: (run: () => void, ms: number) => void
}

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5_000
/** So long after the pipe by which they were heard has ended, peers have to be heard again. */
const DOUBT_MS = 3_000

/** An origin; a frame whose origin is like no other is one of its own. */
type Home = string | Pipe

const homeOf = (pipe: Pipe): Home => pipe.origin ?? pipe

export function extensionSource(options: ExtensionSourceOptions): InspectSource {
  const { doors, tab, later = (run, ms) => setTimeout(run, ms) } = options
  /** Pipes that carry, each with the peers heard through it. */
  const open = new Map<Pipe, Set<string>>()
  /** Heard through a pipe that has ended, and not since: gone with its page, or about to be heard. */
  const doubted = new Set<string>()
  /** Where peers are: with whoever was the first to speak for them, until they are gone. */
  const homes = new Map<string, Home>()
  let sink: SourceSink
  let closed = false
  let wasOpen = false
  let attempts = 0
  let waiting = false

  function joined(pipe: Pipe): void {
    const parts = new Parts()
    pipe.onMessage((message) => {
      if (closed) return
      if ((message as { open?: unknown } | null)?.open === true) {
        open.set(pipe, new Set())
        wasOpen = true
        attempts = 0
        sink.state('open')
        return
      }
      const text = parts.add(message)
      const peers = open.get(pipe)
      if (!peers || !isTapFrame(text)) return
      const peer = peerOf(text)
      if (peer !== undefined) {
        if (isForeign(peer, pipe)) return
        homes.set(peer, homeOf(pipe))
        peers.add(peer)
        doubted.delete(peer)
      }
      sink.frame(text)
    })
    pipe.onClose((cut) => {
      const peers = open.get(pipe)
      if (closed || !peers) return
      open.delete(pipe)
      for (const peer of peers) doubted.add(peer)
      later(() => give(peers), DOUBT_MS)
      if (open.size > 0) return
      // The page that was cut off is still there, and comes back.
      if (!cut) sink.state('reconnecting')
      void retry()
    })
  }

  /** Whether a peer is another origin's. */
  function isForeign(peer: string, pipe: Pipe): boolean {
    const home = homes.get(peer)
    if (home === undefined || home === homeOf(pipe)) return false
    // A frame like no other does not come back as itself.
    return typeof home === 'string' || open.has(home)
  }

  /** What of a frame is for the peers of a pipe's origin; `undefined` where it is for another's. */
  function partFor(pipe: Pipe, text: string, frame: InspectorFrame): string | undefined {
    const isOwn = (peer: string) => homes.get(peer) === homeOf(pipe)
    if (frame.frame === 'detach') return text
    if (frame.to !== undefined) return isOwn(frame.to) ? text : undefined
    if (frame.frame !== 'attach' || !frame.resume) return text
    const { resume, ...rest } = frame
    const own = Object.entries(resume).filter(([peer]) => isOwn(peer))
    return JSON.stringify(own.length > 0 ? { ...rest, resume: Object.fromEntries(own) } : rest)
  }

  /** Who of these was not heard again is gone. */
  function give(peers: ReadonlySet<string>): void {
    const gone = [...peers].filter((peer) => doubted.delete(peer))
    for (const peer of gone) homes.delete(peer)
    if (!closed && gone.length > 0) sink.gone(gone)
  }

  /** Wakes the tab until a frame of it carries. A page that is loaded now dials by itself before. */
  async function retry(): Promise<void> {
    if (waiting) return
    waiting = true
    const woken = await doors.wake()
    if (closed || open.size > 0) {
      waiting = false
      return
    }
    if (!woken) {
      const found = await tab.state()
      if (!closed && open.size === 0) {
        const state = found.access === 'site' ? 'refused' : wasOpen ? 'reconnecting' : 'connecting'
        sink.state(state, inWords(found))
      }
    }
    const ms = Math.min(FIRST_RETRY_MS * 2 ** attempts++, LAST_RETRY_MS)
    later(() => {
      waiting = false
      if (!closed && open.size === 0) void retry()
    }, ms)
  }

  return {
    label: 'this page',
    kind: 'extension',
    start(to) {
      sink = to
      doors.open(joined)
      sink.state('connecting')
      void retry()
    },
    send(text) {
      const frame = JSON.parse(text) as InspectorFrame
      for (const pipe of open.keys()) {
        const own = partFor(pipe, text, frame)
        if (own !== undefined) for (const part of partsOf(own)) pipe.post(part)
      }
    },
    close() {
      closed = true
      doors.close()
      open.clear()
      homes.clear()
    },
  }
}

function inWords(found: Awaited<ReturnType<TabAccess['state']>>): string {
  if (found.access === 'none') return 'This tab shows no page that the extension can look at.'
  if (found.access === 'site') return `The extension has no access to ${found.site}.`
  return 'The page does not answer: it was loaded before the extension was installed or updated. Reload it.'
}
