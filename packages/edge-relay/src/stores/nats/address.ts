/** What the URL of a NATS says. */
import { readFileSync } from 'node:fs'
import type { EngineOptions } from '../engine/engine-store.ts'
import { DIGITS, decoded, queryOf, STRICT, strictIn, wrong } from '../engine/url.ts'

/** How a relay uses its NATS. */
export interface NatsOptions extends EngineOptions {
  /**
   * The stream of its rooms, and what their subjects begin with: letters, digits, `_` and `-`, at most 64.
   * @default 'crosstown'
   */
  readonly stream?: string
  /** Servers that keep each message, where the stream is made: 1, 3 or 5. @default 1 */
  readonly replicas?: number
  /**
   * Set it to 'always' where each server has `sync_interval: always` in its `jetstream` block (2.10 or
   * newer): no server tells its clients. Only then an event that is confirmed is said to be on disk.
   * @default 'interval'
   */
  readonly sync?: 'interval' | 'always'
}

/** Where it is, and how it is used. */
export interface NatsAddress {
  readonly servers: readonly string[]
  readonly auth: { readonly user?: string; readonly pass?: string; readonly token?: string }
  readonly creds: Uint8Array | undefined
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined
  readonly stream: string
  readonly replicas: number
  readonly sync: 'interval' | 'always'
  readonly silenceMs: number | undefined
  readonly durability?: 'strict'
}

const OPTIONS = {
  durability: STRICT,
  stream: /./,
  replicas: ['1', '3', '5'],
  sync: ['interval', 'always'],
  silence_ms: DIGITS,
  creds: /./,
  ca: /./,
  cert: /./,
  key: /./,
}
const REPLICAS: readonly number[] = [1, 3, 5]
const FORM = 'nats://user:password@host:port, or tls:// with several hosts and commas between'

/** @throws {BusError} invalid_options */
export function natsAddress(text: string, given: NatsOptions): NatsAddress {
  // Several hosts: no URL as the standard has them.
  const parts = /^(nats|tls):\/\/(?:([^@/?]*)@)?([^@/?]+)\/?(?:\?(.*))?$/.exec(text)
  const [, kind, userinfo = '', hosts = '', search = ''] = parts ?? []
  const servers = hosts.split(',')
  if (!parts || !servers.every(isServer)) throw wrong(`the URL of the store is no ${FORM}`)
  const asked = queryOf(search, OPTIONS)
  const { ca, cert, creds, key } = asked
  const isTls = kind === 'tls'
  if (!isTls && (ca ?? cert ?? key) !== undefined)
    throw wrong('ca, cert and key are for tls:// URLs')
  const { stream = asked['stream'] ?? 'crosstown' } = given
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(stream))
    throw wrong('stream: letters, digits, _ and -, at most 64')
  const { replicas = Number(asked['replicas'] ?? 1) } = given
  if (!REPLICAS.includes(replicas)) throw wrong(`replicas: ${REPLICAS.join(', ')}`)
  const { sync = asked['sync'] === 'always' ? 'always' : 'interval' } = given
  const {
    silenceMs = asked['silence_ms'] === undefined ? undefined : Number(asked['silence_ms']),
  } = given
  return {
    servers,
    auth: authIn(userinfo),
    creds: creds === undefined ? undefined : bytesOf(creds),
    tls: isTls
      ? {
          ...(ca !== undefined && { ca: textOf(ca) }),
          ...(cert !== undefined && { cert: textOf(cert) }),
          ...(key !== undefined && { key: textOf(key) }),
        }
      : undefined,
    stream,
    replicas,
    sync,
    silenceMs,
    ...strictIn(asked),
  }
}

function isServer(text: string): boolean {
  try {
    const { hostname, pathname } = new URL(`tcp://${text}`)
    return hostname !== '' && pathname === ''
  } catch {
    return false
  }
}

/** A name without a password is a token. */
function authIn(userinfo: string): NatsAddress['auth'] {
  if (userinfo === '') return {}
  const [name = '', ...rest] = userinfo.split(':')
  return rest.length === 0
    ? { token: decoded(name) }
    : { user: decoded(name), pass: decoded(rest.join(':')) }
}

function bytesOf(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch {
    throw wrong(`a file that the URL of the store names cannot be read: ${file}`)
  }
}

function textOf(file: string): string {
  return Buffer.from(bytesOf(file)).toString()
}
