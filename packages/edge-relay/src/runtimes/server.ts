/** What it means to serve a relay, whatever the runtime. */
import { INSPECT_SUBPROTOCOL } from '@crosstown/bus/inspect'
import { BusError, MAX_FRAME_BYTES, SUBPROTOCOL } from '@crosstown/bus/protocol'
import type { Admission } from '../connection/context.ts'
import { isLoopbackHost } from '../origins.ts'
import type { Relay } from '../relay.ts'

/** Where to listen. */
export interface ServeOptions {
  /** @default '127.0.0.1' */
  readonly host?: string
  /**
   * 0 picks a free one.
   * @default 8787
   */
  readonly port?: number
}

/** A relay that is being served. */
export interface RelayServer {
  readonly url: string
  readonly port: number
  /** Sends every device away, closes the relay and its store, and stops listening. */
  close(): Promise<void>
}

/** A frame over the protocol's limit is still read, so that it can be answered; not much more is. */
export const MAX_PAYLOAD_BYTES: number = 2 * MAX_FRAME_BYTES
/** How long sockets have to answer a close, and readers to take an answer, before they are cut. */
export const CLOSE_MS = 3_000

/** @throws {BusError} invalid_options where a relay without auth would be reachable from elsewhere */
export function assertHost(relay: Relay, host: string): void {
  if (!relay.loopbackOnly || isLoopbackHost(host)) return
  throw new BusError(
    'invalid_options',
    `without auth the relay serves its own machine only: listen on 127.0.0.1 instead of ${host}, or give it an auth function`,
  )
}

/** @returns the error for an address that cannot be listened on */
export function cannotListen(host: string, port: number, cause: unknown): BusError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new BusError('unavailable', `cannot listen on ${host}:${port}: ${why}`, { cause })
}

/** The subprotocol of an admitted socket, which offered it. */
export function protocolOf(admission: Admission): string {
  return admission.inspect ? INSPECT_SUBPROTOCOL : SUBPROTOCOL
}

/** Where a relay listens now; it is told so, for its log. */
export function listeningAt(relay: Relay, host: string, port: number): string {
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  relay.listening(url)
  return url
}

/** Waits for something, but not for longer: who is gone without a word never answers. */
export async function within(ms: number, what: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([what, over])
  clearTimeout(timer)
}
