/** How a panel of the extension reaches the frames of its tab. */
import {
  type FromRouter,
  type Here,
  PANEL,
  PIPE,
  type PipeMessage,
  type ToRouter,
  type Wake,
} from './wire.ts'

/** A pipe to each frame of the tab. */
export interface Doors {
  /** Begins to listen; called once. */
  open(joined: (pipe: Pipe) => void): void
  /** Asks all frames of the tab whether they are there; whether any heard it. */
  wake(): Promise<boolean>
  close(): void
}

export interface Pipe {
  /** Of the frame, as the browser tells it; absent where it is like no other: in a sandbox, for one. */
  readonly origin: string | undefined
  post(message: PipeMessage): void
  onMessage(heard: (message: unknown) => void): void
  /**
   * Called once, when the frame is gone or put away, or, with `cut`, when only the way to it is. Not
   * after the panel's own `close`.
   */
  onClose(closed: (cut: boolean) => void): void
}

/**
 * Chromium: the panel dials each frame that says it is there. (Frames could dial the panel; but such
 * a port goes to all panels of the browser, and is not closed before the last of them is.)
 */
export function directDoors(tab: number, panel: string): Doors {
  let heard: (message: Here, sender: Sender, answer: (inspected: true) => void) => void
  const ports = new Set<chrome.runtime.Port>()
  return {
    open(joined) {
      heard = (message, { tab: from, documentId, origin }, answer) => {
        if (message?.crosstown !== 'here' || from?.id !== tab || !documentId) return
        if ((message.panel ?? panel) !== panel) return
        answer(true)
        const port = chrome.tabs.connect(tab, { name: PIPE + panel, documentId })
        ports.add(port)
        port.onDisconnect.addListener(() => ports.delete(port))
        joined(pipeOf(port, named(origin)))
      }
      chrome.runtime.onMessage.addListener(heard)
    },
    wake() {
      const message: Wake = { crosstown: 'wake', panel }
      return chrome.tabs.sendMessage(tab, message).then(
        (woken) => woken === true,
        () => false,
      )
    },
    close() {
      chrome.runtime.onMessage.removeListener(heard)
      for (const port of ports) port.disconnect()
    },
  }
}

type Sender = chrome.runtime.MessageSender

/** Opaque origins have all the same name. */
const named = (origin: string | undefined): string | undefined =>
  origin === 'null' ? undefined : origin

function pipeOf(port: chrome.runtime.Port, origin: string | undefined): Pipe {
  return {
    origin,
    post(message) {
      try {
        port.postMessage(message)
      } catch {
        // It is closing, which is told by `onClose`.
      }
    },
    onMessage: (heard) => port.onMessage.addListener(heard),
    onClose: (closed) =>
      port.onDisconnect.addListener(() => {
        // Reading it keeps the browser from reporting it in the console.
        void chrome.runtime.lastError
        closed(false)
      }),
  }
}

interface RoutedPipe extends Pipe {
  heard?(message: unknown): void
  closed?(cut: boolean): void
}

/** Firefox: the panel dials the router, which dials frames, and is suspended when Firefox likes. */
export function routedDoors(tab: number, panel: string): Doors {
  const pipes = new Map<number, RoutedPipe>()
  let port: chrome.runtime.Port | undefined
  let woken: ((woken: boolean) => void)[] = []
  let closed = false

  const post = (message: ToRouter): boolean => {
    try {
      port?.postMessage(message)
      return port !== undefined
    } catch {
      return false
    }
  }
  const dial = (joined: (pipe: Pipe) => void) => {
    if (closed) return
    const dialled = chrome.runtime.connect({ name: `${PANEL}${tab}:${panel}` })
    port = dialled
    dialled.onMessage.addListener((message: FromRouter) => {
      if ('woken' in message) {
        for (const resolve of woken) resolve(message.woken)
        woken = []
      } else if ('opened' in message) {
        const pipe: RoutedPipe = {
          origin: named(message.origin),
          post: (text) => post({ pipe: message.pipe, message: text }),
          onMessage(heard) {
            pipe.heard = heard
          },
          onClose(closed) {
            pipe.closed = closed
          },
        }
        pipes.set(message.pipe, pipe)
        joined(pipe)
      } else if ('closed' in message) {
        pipes.get(message.pipe)?.closed?.(false)
        pipes.delete(message.pipe)
      } else pipes.get(message.pipe)?.heard?.(message.message)
    })
    dialled.onDisconnect.addListener(() => {
      if (port !== dialled) return
      port = undefined
      const cut = [...pipes.values()]
      pipes.clear()
      for (const resolve of woken) resolve(false)
      woken = []
      dial(joined)
      for (const pipe of cut) pipe.closed?.(true)
    })
  }
  return {
    open: dial,
    wake: () =>
      new Promise((resolve) => {
        woken.push(resolve)
        if (!post({ wake: true })) resolve(false)
      }),
    close() {
      closed = true
      port?.disconnect()
      port = undefined
    },
  }
}
