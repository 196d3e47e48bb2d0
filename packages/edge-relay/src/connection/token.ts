/** Whose a connection is: the identity behind its token, for how long, and a fresh one in its place. */
import { BusError, isBusError } from '@crosstown/bus/protocol'
import type { Identity, RelayRights } from '../auth.ts'
import { identify } from '../authorize.ts'
import type { Admission, ConnectionContext } from './context.ts'

/** The token of one connection. */
export class Token {
  /** When it ends, by the clock that nobody sets. */
  endsMs: number = Number.POSITIVE_INFINITY
  readonly #context: ConnectionContext
  readonly #admission: Admission
  #identity: Identity | undefined
  #renewing = false

  constructor(context: ConnectionContext, admission: Admission) {
    this.#context = context
    this.#admission = admission
  }

  /** Whose it is, as soon as that is known: a token may be called back before its welcome. */
  get identity(): Identity | undefined {
    return this.#identity
  }

  /** Whether a fresh one was not answered yet. */
  get renewing(): boolean {
    return this.#renewing
  }

  /** @throws {BusError} unauthorized, forbidden, unavailable */
  async check(token: string | undefined): Promise<Identity> {
    this.#identity = await this.#identify(token)
    return this.#identity
  }

  /** Begins to count; returns for how long it is good. */
  begin(identity: Identity): { readonly expiresInMs?: number } {
    const { platform } = this.#context
    this.#identity = identity
    this.endsMs = Number.POSITIVE_INFINITY
    if (identity.expiresAt === undefined) return {}
    const expiresInMs = Math.max(0, identity.expiresAt - platform.now())
    this.endsMs = platform.monotonic() + expiresInMs
    return { expiresInMs }
  }

  /**
   * The identity behind a fresh token, which allows the same: one that allows something else is for a
   * connection of its own. `undefined` where that cannot be said now.
   *
   * @throws {BusError} rate_limited, unauthorized, forbidden, subject_changed, rights_changed
   */
  async renew(token: string): Promise<Identity | undefined> {
    const before = this.#identity
    if (this.#renewing) throw new BusError('rate_limited', 'one token at a time')
    this.#renewing = true
    let identity: Identity
    try {
      identity = await this.#identify(token)
    } catch (error) {
      // The token it has is good until it ends; then the device comes back with another.
      if (isBusError(error, 'unavailable')) return undefined
      throw error
    } finally {
      this.#renewing = false
    }
    if (!before) return undefined
    if (identity.subject !== before.subject)
      throw new BusError('subject_changed', 'the fresh token is of another subject')
    if (!isSameRights(identity.rights, before.rights))
      throw new BusError('rights_changed', 'the fresh token allows other things: join anew')
    return identity
  }

  #identify(token: string | undefined): Promise<Identity> {
    return identify(this.#context, token, this.#admission, ['subscribe', 'history', 'presence'])
  }
}

/** Whether two tokens allow the same, in whatever order they say it. */
function isSameRights(a: RelayRights, b: RelayRights): boolean {
  const text = ({
    publish,
    subscribe,
    history = true,
    presence = true,
    inspect = false,
  }: RelayRights) =>
    JSON.stringify([[...publish].sort(), [...subscribe].sort(), history, presence, inspect])
  return text(a) === text(b)
}
