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

/** Frames dial; a pipe each. */
export interface Doors {
  /** Begins to listen; called once. */
  open(joined: (pipe: Pipe) => void): void
  /** Asks all frames of the tab to dial; whether any heard it. */
  wake(): Promise<boolean>
  close(): void
}

export interface Pipe {
  post(message: PipeMessage): void
  onMessage(heard: (message: unknown) => void): void
  /** Called once, when the frame is gone, put away or cut off. */
  onClose(closed: () => void): void
}

/** Chromium: frames dial the panel itself. */
export function directDoors(tab: number, panel: string): Doors {
  const wakeUp: Wake = { crosstown: 'wake', panel }
  let dialled: (port: chrome.runtime.Port) => void
  const announced = (
    message: Here,
    { tab: from, frameId = 0 }: chrome.runtime.MessageSender,
    answer: (inspected: true) => void,
  ) => {
    if (message?.crosstown !== 'here' || from?.id !== tab) return
    answer(true)
    // It may be gone again by then.
    chrome.tabs.sendMessage(tab, wakeUp, { frameId }).catch(() => {})
  }
  return {
    open(joined) {
      dialled = (port) => {
        // Ports of other panels' pages come by here too, and disconnecting one would cut those off.
        if (port.name === PIPE + panel && port.sender?.tab?.id === tab) joined(pipeOf(port))
      }
      chrome.runtime.onConnect.addListener(dialled)
      chrome.runtime.onMessage.addListener(announced)
    },
    wake: () =>
      chrome.tabs.sendMessage(tab, wakeUp).then(
        (woken) => woken === true,
        () => false,
      ),
    close() {
      chrome.runtime.onConnect.removeListener(dialled)
      chrome.runtime.onMessage.removeListener(announced)
    },
  }
}

function pipeOf(port: chrome.runtime.Port): Pipe {
  return {
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
        closed()
      }),
  }
}

interface RoutedPipe extends Pipe {
  heard?(message: unknown): void
  closed?(): void
}

/** Firefox: panel and frames dial the router, which is suspended whenever Firefox likes. */
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
        pipes.get(message.pipe)?.closed?.()
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
      for (const pipe of cut) pipe.closed?.()
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
