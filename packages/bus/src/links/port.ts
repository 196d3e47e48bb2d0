/**
 * The port link: to the one context at the other end of a MessagePort, of a worker, or in a window
 * of another origin. Bytes only.
 */
import { BusError } from '../errors.ts'
import type { Link } from './link.ts'
import { badOrigin, isOrigin } from './origins.ts'
import { WindowLink } from './window.ts'

/** What messages go through: a MessagePort, a Worker, or within one its global scope. */
export interface MessageEndpoint {
  postMessage(message: string): void
  addEventListener(type: 'message', listener: (event: MessageLike) => void): void
  removeEventListener(type: 'message', listener: (event: MessageLike) => void): void
  start?(): void
  close?(): void
  /** A window is none: what it may be linked with has to be said. */
  readonly window?: never
}

/** A message event, of a browser's kind or of a server's. */
export interface MessageLike {
  readonly data: unknown
  readonly origin?: string
}

export interface PortLinkOptions {
  /**
   * The origins that the other end may have, as in `https://widget.example`; `*` is none. What
   * comes from another one is reported as `bad_origin` and dropped.
   */
  readonly origins: readonly string[]
  /** Tells several links between the same two windows apart. @default 'crosstown' */
  readonly channel?: string
}

/**
 * A link to the one context at the other end.
 *
 * Given a window - an iframe's `contentWindow`, `window.parent`, `window.opener` - both sides make
 * the connection themselves, and make it again when one of them is loaded anew: whoever hears of
 * the other sends it a port, to an origin of `origins` and to no other.
 *
 * A port or a worker is connected already, and its messages carry no origin: whoever handed it over
 * decided who is at the other end. Where they carry one it is checked too.
 *
 * @throws {BusError} invalid_options
 * @example
 * // The page at https://shop.example, and in its iframe the page at https://widget.example:
 * createBus({ name: 'shop', links: [portLink(frame.contentWindow, { origins: ['https://widget.example'] })] })
 * createBus({ name: 'shop', links: [portLink(window.parent, { origins: ['https://shop.example'] })] })
 */
export function portLink(port: Window | null, options: PortLinkOptions): Link
export function portLink(port: MessageEndpoint, options?: Partial<PortLinkOptions>): Link
export function portLink(
  port: MessageEndpoint | Window | null,
  { origins, channel = 'crosstown' }: Partial<PortLinkOptions> = {},
): Link {
  const allowed = origins === undefined ? undefined : checkedOrigins(origins)
  if (typeof channel !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(channel))
    throw invalid('channel must be 1 to 64 of A-Z a-z 0-9 _ -')
  if (isWindow(port)) {
    if (!allowed)
      throw invalid("say which origins the window may have: { origins: ['https://...'] }")
    return new WindowLink(port, allowed, channel)
  }
  if (typeof port !== 'object' || typeof port?.postMessage !== 'function')
    throw invalid('give a MessagePort, a worker, or the window of a frame that is in the page')
  return new EndpointLink(port, allowed)
}

/** Of a window of another origin little more can be read than that it is one. */
function isWindow(port: unknown): port is Window {
  return typeof port === 'object' && port !== null && (port as { window?: unknown }).window === port
}

function checkedOrigins(origins: readonly string[]): ReadonlySet<string> {
  if (!Array.isArray(origins) || origins.length === 0 || !origins.every(isOrigin)) {
    throw invalid("origins must be a list of origins, as in ['https://widget.example']")
  }
  return new Set(origins)
}

function invalid(what: string): BusError {
  return new BusError('invalid_options', `portLink: ${what}`, { stage: 'links' })
}

class EndpointLink implements Link {
  readonly #port: MessageEndpoint & { unref?(): void }
  readonly #origins: ReadonlySet<string> | undefined
  #stop: (() => void) | undefined
  #closed = false

  constructor(port: MessageEndpoint, origins: ReadonlySet<string> | undefined) {
    this.#port = port
    this.#origins = origins
  }

  send(text: string): void {
    if (!this.#closed) this.#port.postMessage(text)
  }

  receive(receiver: (text: string) => void, report?: (error: BusError) => void): void {
    const heard = ({ data, origin }: MessageLike): void => {
      if (this.#closed || typeof data !== 'string') return
      if (!origin || !this.#origins || this.#origins.has(origin)) receiver(data)
      else report?.(badOrigin(origin))
    }
    this.#port.addEventListener('message', heard)
    this.#stop = () => this.#port.removeEventListener('message', heard)
    this.#port.start?.()
    // A bus keeps no process alive; a port that is listened to would.
    this.#port.unref?.()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#stop?.()
    // What has no `start` is no port: the worker, or the scope, goes on without the bus.
    if (this.#port.start) this.#port.close?.()
  }
}
