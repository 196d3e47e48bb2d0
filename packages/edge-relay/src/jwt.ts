/**
 * Tokens that are JSON Web Tokens (RFC 7519), checked as RFC 8725 asks: only algorithms that were
 * listed, for the kind of key that is there; issuer, audience and expiry required.
 */
import { BusError, isHeaderText, isPattern, isRoom } from '@crosstown/bus/protocol'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  importSPKI,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose'
import type { Auth, AuthRequest, Identity, RelayRights } from './auth.ts'
import { systemPlatform } from './platform.ts'

/** How tokens are checked. Exactly one of `secret`, `publicKey` and `jwks` is given. */
export interface JwtOptions {
  /** Shared with whoever signs: at least 32 bytes. For HS256, HS384 and HS512. */
  readonly secret?: string | Uint8Array
  /** Of whoever signs, as SPKI in PEM: `-----BEGIN PUBLIC KEY-----`. */
  readonly publicKey?: string
  /**
   * Keys by id: where they are published, as `https://id.example/.well-known/jwks.json`, or the set
   * itself. Published ones are fetched when first needed, and again when a token names one that is
   * not known, at most every 30 s.
   */
  readonly jwks?: string | URL | JSONWebKeySet
  /**
   * What tokens may be signed with. Of one kind only: with a secret those that begin with HS, else
   * none of them.
   * @default with a secret HS256; else RS256, PS256, ES256 and EdDSA
   */
  readonly algorithms?: readonly string[]
  /** Who signs: the claim `iss` must be one of these. */
  readonly issuer: string | readonly string[]
  /** Whom tokens are for, this relay: the claim `aud` must have one of these. */
  readonly audience: string | readonly string[]
  /**
   * Seconds that clocks may differ by.
   * @default 5
   */
  readonly clockTolerance?: number
  /** Whether a token was called back, asked at each check; revoke what is connected with `relay.revoke`. */
  readonly isRevoked?: (claims: JWTPayload) => boolean | Promise<boolean>
  /**
   * What a token allows in a room; `undefined` for nothing.
   * @default the claim `crosstown`, see {@link rightsOfClaim}
   */
  readonly rights?: (claims: JWTPayload, request: AuthRequest) => RelayRights | undefined
  /** The clock, in milliseconds since 1970. @default the relay's */
  readonly now?: () => number
}

const MIN_SECRET_BYTES = 32
const SYMMETRIC = ['HS256', 'HS384', 'HS512']
const ASYMMETRIC = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
]
const BY_DEFAULT = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']
/** Characters of a token at most; a hello has no more either. */
const MAX_TOKEN = 16_384

/**
 * The `auth` of a relay that takes JSON Web Tokens. The subject is the claim `sub`; the connection
 * ends, or is refreshed, when `exp` is reached.
 *
 * @throws {BusError} invalid_options
 * @example
 * createRelay({
 *   auth: jwtAuth({
 *     jwks: 'https://id.example/.well-known/jwks.json',
 *     issuer: 'https://id.example',
 *     audience: 'relay.example',
 *   }),
 * })
 */
export function jwtAuth(options: JwtOptions): Auth {
  const { issuer, audience, clockTolerance = 5, isRevoked, now = systemPlatform.now } = options
  const rights = options.rights ?? rightsOfClaim
  checkNames('issuer', issuer)
  checkNames('audience', audience)
  if (!Number.isFinite(clockTolerance) || clockTolerance < 0 || clockTolerance > 300)
    throw invalid('clockTolerance must be 0 to 300 seconds')
  const algorithms = algorithmsOf(options)
  const key = keyOf(options, algorithms)
  return async (token, request) => {
    if (token === undefined || token.length > MAX_TOKEN) return undefined
    const claims = await verified(token, key, {
      algorithms,
      issuer: [issuer].flat(),
      audience: [audience].flat(),
      clockTolerance,
      requiredClaims: ['exp', 'sub', 'iss', 'aud'],
      currentDate: new Date(now()),
    })
    if (!claims || !isHeaderText(claims.sub)) return undefined
    if (await asked(isRevoked?.(claims))) return undefined
    const allowed = rights(claims, request)
    if (!allowed) throw new BusError('forbidden', 'the token allows nothing in this room')
    return {
      subject: claims.sub,
      rights: allowed,
      expiresAt: (claims.exp as number) * 1_000,
    } satisfies Identity
  }
}

type Checks = NonNullable<Parameters<typeof jwtVerify>[2]>

/** The claims of a token that is in order. What cannot be decided, as keys out of reach, throws. */
async function verified(
  token: string,
  key: () => Promise<JWTVerifyGetKey>,
  checks: Checks,
): Promise<JWTPayload | undefined> {
  const find = await key()
  // Whose keys cannot be had is none of the token's fault, and known only apart from it.
  let unavailable: unknown
  const findKey: JWTVerifyGetKey = async (header, input) => {
    try {
      return await find(header, input)
    } catch (error) {
      if (!isOfToken(error)) unavailable = error
      throw error
    }
  }
  try {
    return (await jwtVerify(token, findKey, checks)).payload
  } catch (cause) {
    if (unavailable !== undefined)
      throw new BusError('unavailable', 'the keys of tokens cannot be had', { cause })
    // Whoever sends a bad token must neither fill a log nor learn which check it failed.
    if (cause instanceof errors.JOSEError) return undefined
    throw cause
  }
}

/** Whether a key was not found because of what the token says of it. */
function isOfToken(error: unknown): boolean {
  return (
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JWSInvalid
  )
}

/** What somebody else knows: who cannot be asked has not said no. */
async function asked<T>(question: T | Promise<T>): Promise<T> {
  try {
    return await question
  } catch (cause) {
    throw new BusError('unavailable', 'it cannot be asked now whether a token was revoked', {
      cause,
    })
  }
}

function keyOf(options: JwtOptions, algorithms: readonly string[]): () => Promise<JWTVerifyGetKey> {
  const { secret, publicKey, jwks } = options
  if (secret !== undefined) {
    const bytes = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret
    if (!(bytes instanceof Uint8Array) || bytes.length < MIN_SECRET_BYTES)
      throw invalid(`secret must have at least ${MIN_SECRET_BYTES} bytes`)
    return async () => async () => bytes
  }
  if (publicKey !== undefined) {
    if (typeof publicKey !== 'string' || !publicKey.includes('BEGIN PUBLIC KEY'))
      throw invalid('publicKey must be SPKI in PEM: -----BEGIN PUBLIC KEY-----')
    // A key is of one algorithm: the token says which of those listed, and the key must fit it.
    const find: JWTVerifyGetKey = ({ alg = '' }) => importSPKI(publicKey, alg)
    return async () => async (header, input) => {
      try {
        return await find(header, input)
      } catch (cause) {
        throw new errors.JOSEAlgNotAllowed('the key is not of this algorithm', { cause })
      }
    }
  }
  if (typeof jwks === 'string' || jwks instanceof URL) {
    if (!URL.canParse(jwks) || !/^https?:$/.test(new URL(jwks).protocol))
      throw invalid('jwks must be the address of a key set, or the set')
    const remote = createRemoteJWKSet(new URL(jwks), { timeoutDuration: 5_000 })
    return async () => async (header, input) => {
      const askedJustNow = remote.coolingDown
      try {
        return await remote(header, input)
      } catch (error) {
        // It may be a new one: in a while they are asked for again.
        if (askedJustNow && error instanceof errors.JWKSNoMatchingKey)
          throw new Error('no such key, and they were fetched a moment ago', { cause: error })
        throw error
      }
    }
  }
  const keys = jwks?.keys
  if (!Array.isArray(keys) || keys.some(({ kty }) => kty === 'oct'))
    throw invalid(`jwks must have public keys, for ${algorithms.join(', ')}`)
  const local = createLocalJWKSet(jwks as JSONWebKeySet)
  return async () => local
}

function algorithmsOf({ secret, publicKey, jwks, algorithms }: JwtOptions): string[] {
  const given = [secret, publicKey, jwks].filter((one) => one !== undefined).length
  if (given !== 1) throw invalid('give one of secret, publicKey and jwks')
  const known = secret === undefined ? ASYMMETRIC : SYMMETRIC
  const listed = algorithms ?? (secret === undefined ? BY_DEFAULT : ['HS256'])
  const other = listed.find((algorithm) => !known.includes(algorithm))
  if (other !== undefined || listed.length === 0)
    throw invalid(
      `algorithms: ${other ?? 'none'} is not for this key; use some of ${known.join(', ')}`,
    )
  return [...listed]
}

function checkNames(option: string, names: unknown): void {
  const list = [names].flat()
  if (list.length > 0 && list.every((name) => typeof name === 'string' && name !== '')) return
  throw invalid(`${option} must be given: a text, or some`)
}

function invalid(what: string): BusError {
  return new BusError('invalid_options', `jwtAuth: ${what}`)
}

/**
 * What the claim `crosstown` allows in a room: `{ rooms: { [name]: rights } }`, where a name is a
 * room's, the beginning of some with a `*` at the end, or `*`. Of all that fit, rights add up.
 *
 * @example
 * // { "sub": "ann", "crosstown": { "rooms": { "shop-*": { "publish": ["cart.**"], "subscribe": ["**"] } } } }
 */
export function rightsOfClaim(
  claims: JWTPayload,
  { room }: Pick<AuthRequest, 'room'>,
): RelayRights | undefined {
  const rooms = (claims['crosstown'] as { rooms?: unknown } | undefined)?.rooms
  if (typeof rooms !== 'object' || rooms === null) return undefined
  const fitting = Object.entries(rooms).filter(([name]) => isFor(name, room))
  if (fitting.length === 0) return undefined
  const publish = new Set<string>()
  const subscribe = new Set<string>()
  const may = { history: false, presence: false, inspect: false }
  let mayDelete = false
  let mayOperate = false
  for (const [, given] of fitting) {
    if (typeof given !== 'object' || given === null) return undefined
    const one = given as Record<string, unknown>
    if (!addPatterns(publish, one['publish']) || !addPatterns(subscribe, one['subscribe']))
      return undefined
    may.history ||= one['history'] !== false
    may.presence ||= one['presence'] !== false
    may.inspect ||= one['inspect'] === true
    mayDelete ||= one['delete'] === true
    mayOperate ||= one['groups'] === true
  }
  return {
    publish: [...publish],
    subscribe: [...subscribe],
    ...may,
    ...(mayDelete && { delete: true }),
    ...(mayOperate && { groups: true }),
  }
}

function isFor(name: string, room: string): boolean {
  if (!name.endsWith('*')) return name === room
  const beginning = name.slice(0, -1)
  return (beginning === '' || isRoom(`${beginning}x`)) && room.startsWith(beginning)
}

/** A token with a right that cannot be read gives none: half of what was meant may be too much. */
function addPatterns(to: Set<string>, patterns: unknown): boolean {
  if (patterns === undefined) return true
  if (!Array.isArray(patterns) || patterns.length > 1_000 || !patterns.every(isPattern))
    return false
  for (const pattern of patterns) to.add(pattern)
  return true
}
