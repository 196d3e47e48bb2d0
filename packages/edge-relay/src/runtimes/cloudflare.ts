/** The relay on Cloudflare: a Worker that finds the room, and a Durable Object that is it. */
import { BusError, isRoom } from '@crosstown/bus/protocol'
import { answerOutside } from '../http/outside.ts'
import { jwtAuth } from '../jwt.ts'
import type { RelayOptions } from '../options.ts'
import { type DurableObjectContext, DurableRoom, type RoomObject } from './durable-room.ts'
import { takeUnread } from './unread-body.ts'

export type { DurableObjectContext, RoomObject } from './durable-room.ts'

/** The namespace of Durable Objects that a Worker is bound to. */
export interface RoomNamespace {
  idFromName(name: string): unknown
  get(id: never): { fetch(request: Request): Promise<Response> }
}

/** What a Worker exports: itself, and the class of its rooms. */
export interface CloudflareRelay<Env> {
  readonly worker: { fetch(request: Request, env: Env): Promise<Response> }
  readonly Room: new (context: DurableObjectContext, env: Env) => RoomObject
}

/**
 * A relay for Cloudflare Workers, with a Durable Object for each room.
 *
 * @param options made of the environment, in each room: as of `createRelay`, but for the store
 * @param binding the name by which the Worker is bound to the class of rooms
 * @example
 * const { worker, Room } = cloudflareRelay((env: Env) => ({
 *   auth: jwtAuth({ secret: env.JWT_SECRET, issuer: 'https://id.example', audience: 'relay' }),
 *   origins: ['https://shop.example'],
 * }))
 * export { Room }
 * export default worker
 */
export function cloudflareRelay<Env extends object>(
  options: (env: Env) => Omit<RelayOptions, 'store'>,
  binding: keyof Env & string = 'ROOMS' as keyof Env & string,
): CloudflareRelay<Env> {
  return {
    worker: {
      async fetch(request, env) {
        const { pathname } = new URL(request.url)
        const outside = answerOutside(pathname, () => options(env))
        const found = outside ?? roomOf(request.method, pathname, binding, env)
        if (found instanceof Response) {
          await takeUnread(request)
          return found
        }
        return found.fetch(request)
      },
    },
    Room: class extends DurableRoom {
      constructor(context: DurableObjectContext, env: Env) {
        super(context, options(env))
      }
    },
  }
}

/** The room that a path is of, or why there is none. */
function roomOf(
  method: string,
  pathname: string,
  binding: string,
  env: object,
): Response | ReturnType<RoomNamespace['get']> {
  const room = /^\/rooms\/([^/]+)(?:\/|$)/.exec(pathname)?.[1]
  if (room === undefined) return refusal(404, 'not_found', `no route ${method} ${pathname}`)
  if (!isRoom(room))
    return refusal(400, 'invalid_room', 'a room is 1 to 128 characters of A-Z a-z 0-9 . _ ~ -')
  const rooms = (env as { [name: string]: RoomNamespace | undefined })[binding]
  if (!rooms) return refusal(503, 'unavailable', `the Worker has no binding ${binding}`)
  return rooms.get(rooms.idFromName(room) as never)
}

function refusal(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status })
}

/** The environment of the relay that is exported ready to deploy. */
export interface CloudflareEnv {
  readonly ROOMS: RoomNamespace
  /** Of tokens: exactly one of these three, or none, where the Worker serves its own machine only. */
  readonly CROSSTOWN_JWT_SECRET?: string
  readonly CROSSTOWN_JWT_PUBLIC_KEY?: string
  readonly CROSSTOWN_JWT_JWKS?: string
  /** Issuer and audience of tokens. */
  readonly CROSSTOWN_JWT_ISSUER?: string
  readonly CROSSTOWN_JWT_AUDIENCE?: string
  /** Origins of pages that may come, with commas between. */
  readonly CROSSTOWN_ORIGINS?: string
}

/** @throws {BusError} invalid_options */
export function optionsOfEnv(env: CloudflareEnv): Omit<RelayOptions, 'store'> {
  const {
    CROSSTOWN_JWT_SECRET: secret,
    CROSSTOWN_JWT_PUBLIC_KEY: publicKey,
    CROSSTOWN_JWT_JWKS: jwks,
    CROSSTOWN_JWT_ISSUER: issuer,
    CROSSTOWN_JWT_AUDIENCE: audience,
    CROSSTOWN_ORIGINS: origins,
  } = env
  const keys = {
    ...(secret !== undefined && { secret }),
    ...(publicKey !== undefined && { publicKey }),
    ...(jwks !== undefined && { jwks }),
  }
  const list = origins
    ?.split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '')
  const common = list && list.length > 0 ? { origins: list } : {}
  if (Object.keys(keys).length === 0) return common
  if (issuer === undefined || audience === undefined) {
    const what = 'tokens need CROSSTOWN_JWT_ISSUER and CROSSTOWN_JWT_AUDIENCE'
    throw new BusError('invalid_options', what)
  }
  return { ...common, auth: jwtAuth({ ...keys, issuer, audience }) }
}

const ready: CloudflareRelay<CloudflareEnv> = cloudflareRelay(optionsOfEnv)

/** A room of the relay that is configured by its environment alone. */
export const Room: CloudflareRelay<CloudflareEnv>['Room'] = ready.Room
/** The Worker of that relay. */
export default ready.worker as CloudflareRelay<CloudflareEnv>['worker']
