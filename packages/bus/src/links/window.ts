/**
 * A link to another window: both sides greet, and one of them sends the other a port.
 *
 *   hello, nonce ──►   ◄── hello, nonce      each to the stated origins only, whoever is up first
 *   the one with the higher nonce ──port, for that nonce──► the other
 *
 * A window that was loaded anew greets with another nonce, and gets another port.
 */
import type { BusError } from '../errors.ts'
import { ownWindow, runtimePlatform } from '../platform.ts'
import type { Link } from './link.ts'
import { badOrigin } from './origins.ts'

/** What is posted from window to window; `answers` is the nonce for which a port comes along. */
interface Greeting {
  readonly crosstown: string
  readonly nonce: string
  readonly answers?: string
}

/** Texts kept at most until there is a connection; later ones are lost. */
const MAX_EARLY = 100
/** Origins whose messages are reported at most, each once. */
const MAX_REPORTED = 16

export class WindowLink implements Link {
  readonly #target: Window
  readonly #origins: ReadonlySet<string>
  readonly #channel: string
  #nonce = ''
  /** Nonce of the other side, as long as there is a port to it. */
  #peer: string | undefined
  #port: MessagePort | undefined
  #receiver: ((text: string) => void) | undefined
  #report: ((error: BusError) => void) | undefined
  readonly #reported = new Set<string>()
  /** What was sent before the first connection: how those who are linked find each other. */
  #early: string[] | undefined = []
  #stop: (() => void) | undefined
  #closed = false

  constructor(target: Window, origins: ReadonlySet<string>, channel: string) {
    this.#target = target
    this.#origins = origins
    this.#channel = channel
  }

  send(text: string): void {
    if (this.#port) this.#port.postMessage(text)
    else if (this.#early && this.#early.length < MAX_EARLY) this.#early.push(text)
  }

  receive(receiver: (text: string) => void, report?: (error: BusError) => void): void {
    const own = ownWindow()
    if (this.#closed || !own) return
    this.#receiver = receiver
    this.#report = report
    this.#nonce = runtimePlatform().randomText(16)
    const heard = (event: MessageEvent): void => this.#heard(event, own.MessageChannel)
    own.addEventListener('message', heard)
    this.#stop = () => own.removeEventListener('message', heard)
    // A frame that is not loaded yet greets when it is.
    if (!isBlank(this.#target)) for (const origin of this.#origins) this.#greet(origin)
  }

  close(): void {
    this.#closed = true
    this.#early = undefined
    this.#stop?.()
    this.#connect(undefined, undefined)
  }

  #greet(origin: string): void {
    this.#post({ crosstown: this.#channel, nonce: this.#nonce }, origin, [])
  }

  #post(greeting: Greeting, origin: string, ports: MessagePort[]): void {
    this.#target.postMessage(greeting, origin, ports)
  }

  #heard(event: MessageEvent, Channel: typeof MessageChannel): void {
    // Windows are posted all kinds of things, by all kinds of others.
    if (event.source !== this.#target || !isGreeting(event.data, this.#channel)) return
    const { origin } = event
    if (!this.#origins.has(origin)) {
      this.#refuse(origin)
      return
    }
    const { nonce, answers } = event.data
    const offers = this.#nonce > nonce
    if (answers !== undefined) {
      if (answers === this.#nonce && !offers && event.ports[0]) this.#connect(event.ports[0], nonce)
      return
    }
    if (nonce === this.#peer) return
    if (!offers) {
      this.#greet(origin)
      return
    }
    const { port1, port2 } = new Channel()
    this.#connect(port1, nonce)
    const offer = { crosstown: this.#channel, nonce: this.#nonce, answers: nonce }
    this.#post(offer, origin, [port2])
  }

  #connect(port: MessagePort | undefined, peer: string | undefined): void {
    this.#port?.close()
    this.#port = port
    this.#peer = peer
    if (!port) return
    port.onmessage = ({ data }: MessageEvent) => {
      if (port === this.#port && typeof data === 'string') this.#receiver?.(data)
    }
    const early = this.#early ?? []
    this.#early = undefined
    for (const text of early) port.postMessage(text)
  }

  #refuse(origin: string): void {
    if (this.#reported.has(origin) || this.#reported.size >= MAX_REPORTED) return
    this.#reported.add(origin)
    this.#report?.(badOrigin(origin))
  }
}

function isGreeting(data: unknown, channel: string): data is Greeting {
  if (typeof data !== 'object' || data === null) return false
  const { crosstown, nonce, answers } = data as Record<string, unknown>
  return (
    crosstown === channel &&
    typeof nonce === 'string' &&
    nonce.length <= 64 &&
    (answers === undefined || typeof answers === 'string')
  )
}

/** Whether a frame still shows the empty document that it begins with. */
function isBlank(target: Window): boolean {
  try {
    return target.location.href === 'about:blank'
  } catch {
    return false
  }
}
