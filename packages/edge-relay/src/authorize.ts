/** What an application's own rules allow, beside the rights of a token: both have to say yes. */
import { BusError, isBusError } from '@crosstown/bus/protocol'
import {
  type Auth,
  type AuthRequest,
  authenticate,
  type Identity,
  type RelayRights,
} from './auth.ts'
import { inTime, type Patience } from './guard/deadline.ts'

/** What somebody wants to do in a room. */
export type Action =
  | 'publish'
  | 'subscribe'
  | 'history'
  | 'presence'
  | 'inspect'
  | 'delete'
  | 'groups'

/** What an {@link Authorize} hook is asked. */
export interface AuthorizeRequest {
  /** Who it is, with the rights of the token. */
  readonly identity: Identity
  readonly room: string
  readonly action: Action
  /** Of `publish`: the type of the events, one of those that the token allows. */
  readonly type?: string
}

/**
 * Decides over one action that the token allows. It is asked for each type of what is published, and
 * when somebody joins, reads over HTTP, or brings a fresh token, for the other actions; nothing is
 * remembered in between, so keep what is expensive to know. To take from those who are connected what
 * it allowed before, call `relay.revoke`: they come back, and it is asked again.
 *
 * `false`, or a `BusError` of code `forbidden`, is a refusal for good. Anything else thrown, and no answer
 * within `limits.hookMs`, is reported to `onError` and refuses for now, with `unavailable`: devices keep what they have, and try again.
 *
 * @example
 * const authorize: Authorize = async ({ identity, room, action, type }) =>
 *   action !== 'publish' || !type?.startsWith('admin.') || (await admins.has(room, identity.subject))
 */
export type Authorize = (request: AuthorizeRequest) => boolean | Promise<boolean>

/** What a relay finds out with who somebody is, and what they may do. */
export interface Authorizing extends Patience {
  readonly auth: Auth | undefined
  readonly authorize?: Authorize | undefined
  readonly report: (error: unknown, room: string) => void
}

/**
 * The identity behind a token, with what the hook leaves of those rights that are to be used now.
 *
 * @throws {BusError} unauthorized, forbidden, and unavailable where it cannot be said now
 */
export async function identify(
  context: Authorizing,
  token: string | undefined,
  request: AuthRequest,
  actions: readonly Exclude<Action, 'publish'>[],
): Promise<Identity> {
  const { room } = request
  const report = (error: unknown): void => context.report(error, room)
  const identity = await authenticate(context.auth, token, request, context, report)
  if (!context.authorize) return identity
  let { rights } = identity
  for (const action of actions) {
    if (!isGiven(rights, action)) continue
    const answer = ask(context, { identity, room, action })
    if (typeof answer === 'boolean' ? answer : await heard(context, room, answer)) continue
    rights = { ...rights, ...(action === 'subscribe' ? { subscribe: [] } : { [action]: false }) }
  }
  return { ...identity, rights }
}

function isGiven(rights: RelayRights, action: Exclude<Action, 'publish'>): boolean {
  if (action === 'subscribe') return rights.subscribe.length > 0
  if (action === 'inspect' || action === 'delete' || action === 'groups')
    return rights[action] === true
  return rights[action] !== false
}

const NONE: ReadonlySet<string> = new Set()

/**
 * The types of events that the hook refuses to publish; at once where it answers at once, so that
 * what comes from one publisher need not wait for a turn.
 *
 * @throws {BusError} unavailable, as a rejection where it is promised
 */
export function refusedTypes(
  context: Authorizing,
  asked: Pick<AuthorizeRequest, 'identity' | 'room'>,
  types: Iterable<string>,
  mayPublish: (type: string) => boolean,
): ReadonlySet<string> | Promise<ReadonlySet<string>> {
  if (!context.authorize) return NONE
  const refused = new Set<string>()
  const waiting: Promise<void>[] = []
  const take = (type: string, allowed: boolean): void => {
    if (!allowed) refused.add(type)
  }
  for (const type of new Set(types)) {
    if (!mayPublish(type)) continue
    const answer = ask(context, { ...asked, action: 'publish', type })
    if (typeof answer === 'boolean') take(type, answer)
    else waiting.push(answer.then((allowed) => take(type, allowed)))
  }
  if (waiting.length === 0) return refused
  return heard(context, asked.room, Promise.all(waiting)).then(() => refused)
}

function ask({ authorize }: Authorizing, request: AuthorizeRequest): boolean | Promise<boolean> {
  const forbidden = (error: unknown): false => {
    if (isBusError(error, 'forbidden')) return false
    throw error
  }
  try {
    const answer = (authorize as Authorize)(request)
    if (typeof answer === 'object') return answer.then((allowed) => allowed === true, forbidden)
    return answer === true
  } catch (error) {
    return Promise.reject(error).catch(forbidden)
  }
}

/** What the hook says in time. @throws {BusError} unavailable, for whatever reason it says nothing */
async function heard<T>(context: Authorizing, room: string, answer: Promise<T>): Promise<T> {
  try {
    return await inTime(context, 'authorize', answer)
  } catch (error) {
    context.report(error, room)
    throw new BusError('unavailable', 'rights cannot be checked now')
  }
}
