/**
 * A page and the page in its iframe, of different origins, for links between windows. The page can
 * run the link contract: its second end is in the iframe, and is told what to do over a port of
 * the test's own.
 */
import { type Bus, createBus, type Link, portLink, relayLink } from '@crosstown/bus'
import { linkContract } from '@crosstown/bus/testing'

declare global {
  /** The bus of a page, once a test has made one. */
  var own: Bus<Record<string, unknown>>
  var links: {
    createBus: typeof createBus
    portLink: typeof portLink
    relayLink: typeof relayLink
    /** Loads the iframe with the page of another origin. */
    frame(src: string): Promise<Window>
    /** Runs the contract between this page and the one in the iframe; what failed, by title. */
    contract(src: string): Promise<Record<string, string>>
  }
}

type Command = { open: string } | { send: string; text: string } | { close: string }
interface Heard {
  readonly link: string
  readonly text: string
}

async function frame(src: string): Promise<Window> {
  const element = document.createElement('iframe')
  element.src = src
  document.body.append(element)
  await new Promise((resolve) => element.addEventListener('load', resolve, { once: true }))
  return element.contentWindow as Window
}

/** A link that is connected: what is sent before would be lost. */
async function connected(link: Link, remote: Remote, channel: string): Promise<Link> {
  let receiver = (_text: string): void => {}
  const answered = new Promise<void>((resolve) => {
    link.receive((text) => {
      if (text === 'PROBE') resolve()
      else receiver(text)
    })
  })
  let waiting = true
  void answered.then(() => {
    waiting = false
  })
  // The first of them that comes through says that there is a connection.
  while (waiting) {
    remote.command({ send: channel, text: 'PROBE' })
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return {
    send: (text) => link.send(text),
    receive: (taker) => {
      receiver = taker
    },
    close: () => link.close(),
  }
}

/** Links in the iframe. */
class Remote {
  readonly #port: MessagePort
  readonly #receivers = new Map<string, (text: string) => void>()

  constructor(target: Window, origin: string) {
    const { port1, port2 } = new MessageChannel()
    target.postMessage('control', origin, [port2])
    this.#port = port1
    port1.onmessage = ({ data }: MessageEvent<Heard>) => {
      if (data.text !== 'PROBE') this.#receivers.get(data.link)?.(data.text)
    }
  }

  command(command: Command): void {
    this.#port.postMessage(command)
  }

  open(channel: string): Link {
    this.command({ open: channel })
    return {
      send: (text) => this.command({ send: channel, text }),
      receive: (receiver) => this.#receivers.set(channel, receiver),
      close: () => this.command({ close: channel }),
    }
  }
}

async function contract(src: string): Promise<Record<string, string>> {
  const { origin } = new URL(src)
  const target = await frame(src)
  const remote = new Remote(target, origin)
  const first = new Map<string, Link>()
  const tests: [string, () => void | Promise<void>][] = []
  const runner = {
    describe: (_: string, body: () => void) => body(),
    it: (title: string, body: () => void | Promise<void>) => void tests.push([title, body]),
  }
  linkContract('window', runner, {
    ends: 2,
    // The first end is the iframe's, the second this page's: by then both can be connected.
    async open(channel) {
      if (!first.has(channel)) {
        const link = remote.open(channel)
        first.set(channel, link)
        return link
      }
      return connected(portLink(target, { origins: [origin], channel }), remote, channel)
    },
  })
  const failed: Record<string, string> = { tests: String(tests.length) }
  for (const [title, body] of tests) {
    try {
      await body()
    } catch (error) {
      failed[title] = String(error)
    }
  }
  return failed
}

function obey(control: MessagePort, origin: string): void {
  const links = new Map<string, Link>()
  control.onmessage = ({ data }: MessageEvent<Command>) => {
    if ('open' in data) {
      const link = portLink(parent, { origins: [origin], channel: data.open })
      links.set(data.open, link)
      link.receive((text) => control.postMessage({ link: data.open, text }))
    } else if ('send' in data) links.get(data.send)?.send(data.text)
    else void links.get(data.close)?.close()
  }
}

globalThis.links = { createBus, portLink, relayLink, frame, contract }
if (parent !== window) {
  addEventListener('message', (event) => {
    if (event.data === 'control' && event.ports[0]) obey(event.ports[0], event.origin)
  })
}
