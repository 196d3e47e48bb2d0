import { BusError, isBusError, isHeaderText, isPattern, type Rights } from '@crosstown/bus/protocol'
import { inTime, type Patience } from './guard/deadline.ts'
import { withoutToken } from './guard/redact.ts'

/** What a token allows in a room. */
export interface RelayRights extends Rights {
  /**
   * Whether it may read what was in the room before: a new device begins at the head without, and
   * HTTP gives it nothing but what comes. A device that was there before goes on where it was.
   * @default true
   */
  readonly history?: boolean
  /** Whether it may hear who is there. @default true */
  readonly presence?: boolean
  /**
   * Whether it may inspect the room and its devices: see all that all of them do, whatever their
   * rights, the data of events that never leave them included, and publish through each of them.
   * @default false
   */
  readonly inspect?: boolean
  /**
   * Whether it may delete the room, with all that is in it.
   * @default false
   */
  readonly delete?: boolean
  /**
   * Whether it may see what groups of the room there are and what became of their events, have dead
   * letters tried once more, and delete groups. Nobody needs it to be a member of one.
   * @default false
   */
  readonly groups?: boolean
}

/** Who a token belongs to, and what it allows. */
export interface Identity {
  /** Names the user or service; 1 to 256 characters. A log belongs to the first one it joined with. */
  readonly subject: string
  /** Patterns of the event types it may publish, and of those it may read, and more. */
  readonly rights: RelayRights
  /**
   * When the token ends, in milliseconds since 1970; who is connected is asked for a fresh one before,
   * and closed with `token_expired` then. @default never
   */
  readonly expiresAt?: number
}

/** What an {@link Auth} function is told beside the token. */
export interface AuthRequest {
  readonly room: string
  /** Origin of the page, where the other side is a browser. */
  readonly origin?: string
}

/**
 * Decides over a token. `undefined`, and anything thrown, means: not accepted; but for a `BusError` of
 * code `unavailable`, after which the other side comes back. What was thrown is reported to the relay's
 * `onError` and never sent to the other side.
 *
 * @example
 * const auth: Auth = async (token, { room }) => {
 *   const user = await sessions.find(token)
 *   return user && { subject: user.id, rights: { publish: ['cart.**'], subscribe: ['**'] } }
 * }
 */
export type Auth = (
  token: string | undefined,
  request: AuthRequest,
) => Identity | undefined | Promise<Identity | undefined>

/** Who everyone is on a relay without auth, which serves its own machine only. */
export const ANONYMOUS: Identity = {
  subject: 'anonymous',
  rights: { publish: ['**'], subscribe: ['**'], inspect: true, delete: true, groups: true },
}

/**
 * The identity behind a token.
 *
 * @param report gets what the function threw, or what is wrong with its answer
 * @throws {BusError} unauthorized, with a message that says nothing about why; forbidden and unavailable
 * where the function threw them, unavailable where it does not answer in time
 */
export async function authenticate(
  auth: Auth | undefined,
  token: string | undefined,
  request: AuthRequest,
  patience: Patience,
  report: (error: unknown) => void,
): Promise<Identity> {
  if (!auth) return ANONYMOUS
  let identity: unknown
  try {
    const answer = auth(token, request)
    identity = isPromise(answer) ? await inTime(patience, 'auth', answer) : answer
  } catch (error) {
    // What it says of itself, of a token that is in order.
    if (isBusError(error, 'forbidden'))
      throw new BusError('forbidden', 'the token does not allow this room')
    report(withoutToken(error, token))
    // Who decides could not be asked: that says nothing of the token.
    if (isBusError(error, 'unavailable'))
      throw new BusError('unavailable', 'tokens cannot be checked now')
  }
  if (identity === undefined || identity === null) throw unauthorized()
  const fault = identityFault(identity)
  if (fault) {
    report(
      new BusError(
        'invalid_options',
        `the auth function must return { subject, rights }: ${fault}`,
      ),
    )
    throw unauthorized()
  }
  return identity as Identity
}

function isPromise(answer: unknown): answer is PromiseLike<unknown> {
  return typeof answer === 'object' && answer !== null && 'then' in answer
}

function unauthorized(): BusError {
  return new BusError('unauthorized', 'the token is missing or not accepted')
}

function identityFault(identity: unknown): string | undefined {
  if (typeof identity !== 'object') return 'it is no object'
  const { subject, rights, expiresAt } = identity as Record<string, unknown>
  if (!isHeaderText(subject)) return 'subject must be 1 to 256 characters'
  if (typeof rights !== 'object' || rights === null) return 'rights is missing'
  for (const key of ['publish', 'subscribe'] as const) {
    const patterns = (rights as Record<string, unknown>)[key]
    if (!Array.isArray(patterns) || patterns.length > 1_000 || !patterns.every(isPattern)) {
      return `rights.${key} must be a list of patterns`
    }
  }
  for (const key of ['history', 'presence', 'inspect', 'delete', 'groups'] as const) {
    const may = (rights as Record<string, unknown>)[key]
    if (may !== undefined && typeof may !== 'boolean') return `rights.${key} must be true or false`
  }
  if (expiresAt !== undefined && !Number.isFinite(expiresAt))
    return 'expiresAt must be milliseconds since 1970'
  return undefined
}
