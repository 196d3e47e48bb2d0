/**
 * Runs in the frames of sites that may be inspected: a pipe between the inspect channel of the
 * frame's origin and the panels that inspect its tab. It reads no frame but for its name, keeps
 * nothing, and opens nothing before a panel asks for it.
 */
import { INSPECT_CHANNEL, INSPECTED_KEY } from '@crosstown/bus/inspect'
import {
  type Here,
  isInspectorFrame,
  isTapFrame,
  Parts,
  PIPE,
  type PipeMessage,
  partsOf,
  type Wake,
} from '../sources/wire.ts'

declare global {
  /** Ends the script that was injected here before, of this or an older version of the extension. */
  var crosstownPipes: (() => void) | undefined
}

/** By panel: what ends its pipe. */
const pipes = new Map<string, () => void>()

globalThis.crosstownPipes?.()
const ended = new AbortController()
globalThis.crosstownPipes = () => {
  ended.abort()
  closeAll()
}

chrome.runtime.onMessage.addListener(heard)
chrome.runtime.onConnect.addListener(joined)
const { signal } = ended
addEventListener('pagehide', closeAll, { signal })
addEventListener(
  'pageshow',
  ({ persisted }) => {
    // What was open when the page was put away is dead, whether or not this was told.
    if (persisted) announce()
  },
  { signal },
)
announce()

function heard(
  message: Wake,
  _: chrome.runtime.MessageSender,
  answer: (woken: true) => void,
): void {
  if (message?.crosstown !== 'wake' || signal.aborted) return
  answer(true)
  void announce(message)
}

/** A panel that inspects this tab answers, and dials. */
async function announce(to?: Wake): Promise<void> {
  const here: Here = { crosstown: 'here', ...(to && { panel: to.panel }) }
  let inspected: unknown
  try {
    inspected = await chrome.runtime.sendMessage(here)
  } catch {
    // No panel is open, or the extension was removed or updated under this page.
  }
  if (!inspected && pipes.size === 0) mark(false)
}

function joined(port: chrome.runtime.Port): void {
  if (!port.name.startsWith(PIPE) || signal.aborted) return
  // A panel that dials again has lost the pipe it had.
  const panel = port.name
  pipes.get(panel)?.()
  const post = (message: PipeMessage) => {
    try {
      port.postMessage(message)
    } catch {
      // It is closing, which `onDisconnect` tells.
    }
  }
  const unpipe = alone(panel, () => carry(post, port))
  const close = () => {
    if (pipes.get(panel) === close) pipes.delete(panel)
    unpipe()
    try {
      port.disconnect()
    } catch {
      // The extension was removed or updated under this page.
    }
  }
  pipes.set(panel, close)
  port.onDisconnect.addListener(() => {
    // Reading it keeps the browser from reporting it in the page's console.
    void chrome.runtime.lastError
    if (pipes.get(panel) !== close) return
    close()
    if (pipes.size === 0) mark(false)
  })
}

/** Carries frames between the channel and a port; gives what ends it. */
function carry(post: (message: PipeMessage) => void, port: chrome.runtime.Port): () => void {
  const channel = new BroadcastChannel(INSPECT_CHANNEL)
  channel.onmessage = ({ data }) => {
    if (isTapFrame(data)) for (const part of partsOf(data)) post(part)
  }
  const parts = new Parts()
  port.onMessage.addListener((message: unknown) => {
    const text = parts.add(message)
    if (isInspectorFrame(text)) channel.postMessage(text)
  })
  mark(true)
  post({ open: true })
  return () => channel.close()
}

/**
 * Runs `begin` in one of the frames of the tab that hear the same channel, and in the next one when
 * that goes; gives what ends it. Web Locks are divided between frames just as channels are. Where
 * there are none, each frame does it, and the panel drops what comes twice.
 */
function alone(name: string, begin: () => () => void): () => void {
  const over = new AbortController()
  const held = Promise.withResolvers<void>()
  let end: (() => void) | undefined
  const run = () => {
    if (!over.signal.aborted) end = begin()
  }
  if (navigator.locks) {
    navigator.locks
      .request(name, { signal: over.signal }, () => {
        run()
        return held.promise
      })
      .catch(() => {
        if (!end) run()
      })
  } else run()
  return () => {
    over.abort()
    held.resolve()
    end?.()
  }
}

function closeAll(): void {
  for (const close of [...pipes.values()]) close()
}

/** A page that is inspected and loaded anew captures from its first event on. */
function mark(inspected: boolean): void {
  try {
    if (inspected) sessionStorage.setItem(INSPECTED_KEY, '1')
    else sessionStorage.removeItem(INSPECTED_KEY)
  } catch {
    // A frame without storage of its own.
  }
}
