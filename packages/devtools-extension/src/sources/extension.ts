/**
 * The pages of one tab, through the browser's extension. What is heard there is all of the page's
 * origin: its other tabs and its workers too. Comes back by itself after a reload, a navigation, the
 * back/forward cache, and a router that was suspended.
 */
import type { Doors, Pipe } from './doors.ts'
import type { InspectSource, SourceSink } from './source.ts'
import { isTapFrame, Parts, partsOf, peerOf } from './wire.ts'

/** What the panel can find out about the tab when no frame of it answers. */
export interface TabAccess {
  /**
   * `none`: no site, or one of the browser's own; `site`: the extension was not given this one;
   * `granted`: it should have been heard, so its page is older than the extension.
   */
  state(): Promise<{ readonly access: 'none' | 'site' | 'granted'; readonly site?: string }>
}

export interface ExtensionSourceOptions {
  readonly doors: Doors
  readonly tab: TabAccess
  /** For tests. @default setTimeout */
  readonly later?: (run: () => void, ms: number) => void
}

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5_000

export function extensionSource(options: ExtensionSourceOptions): InspectSource {
  const { doors, tab, later = (run, ms) => setTimeout(run, ms) } = options
  /** Pipes that carry, each with the peers heard through it. */
  const open = new Map<Pipe, Set<string>>()
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
      if (peer !== undefined) peers.add(peer)
      sink.frame(text)
    })
    pipe.onClose(() => {
      const peers = open.get(pipe)
      if (closed || !peers) return
      open.delete(pipe)
      sink.gone([...peers])
      if (open.size === 0) lost()
    })
  }

  function lost(): void {
    sink.state(wasOpen ? 'reconnecting' : 'connecting')
    void retry()
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
      lost()
    },
    send(text) {
      for (const pipe of open.keys()) for (const part of partsOf(text)) pipe.post(part)
    },
    close() {
      closed = true
      doors.close()
      open.clear()
    },
  }
}

function inWords({ access, site }: Awaited<ReturnType<TabAccess['state']>>): string {
  if (access === 'none') return 'This tab shows no page that a bus could run in.'
  if (access === 'site') return `The extension has no access to ${site ?? 'this site'}.`
  return 'The page does not answer: it was loaded before the extension was installed or updated. Reload it.'
}
