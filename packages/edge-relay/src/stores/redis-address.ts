/** What the URL of a Redis says. */
import { readFileSync } from 'node:fs'
import type { EngineOptions } from './engine/engine-store.ts'
import { DIGITS, decoded, queryOf, STRICT, strictIn, wrong } from './engine/url.ts'

/** How a relay uses its Redis. */
export interface RedisOptions extends EngineOptions {
  /** Before all its keys, with a colon between. @default 'crosstown' */
  readonly prefix?: string
}

/** Where it is, and how it is used. */
export interface RedisAddress {
  /** As the driver has it. */
  readonly url: string
  /** Before all keys. */
  readonly prefix: string
  readonly tls: { readonly tls?: true; readonly ca?: string }
  readonly silenceMs: number | undefined
  readonly durability?: 'strict'
}

const OPTIONS = { durability: STRICT, prefix: /./, silence_ms: DIGITS, ca: /./ }

/** @throws {BusError} invalid_options */
export function redisAddress(text: string, given: RedisOptions): RedisAddress {
  const [url = '', ...search] = text.split('?')
  if (!isRedis(url))
    throw wrong('the URL of the store is no redis://user:password@host:port/number')
  const asked = queryOf(search.join('?'), OPTIONS)
  const { ca } = asked
  if (ca !== undefined && !url.startsWith('rediss:')) throw wrong('ca is for rediss:// URLs')
  const { prefix = asked['prefix'] ?? 'crosstown' } = given
  if (prefix === '' || /[\n\0]/.test(prefix)) throw wrong('prefix: a text in one line')
  const {
    silenceMs = asked['silence_ms'] === undefined ? undefined : Number(asked['silence_ms']),
  } = given
  return {
    url,
    prefix: `${prefix}:`,
    silenceMs,
    ...strictIn(asked),
    tls: ca === undefined ? {} : { tls: true, ca: textOf(ca) },
  }
}

function isRedis(text: string): boolean {
  try {
    const url = new URL(text)
    for (const part of [url.username, url.password]) decoded(part)
    return /^rediss?:$/.test(url.protocol) && url.hostname !== '' && /^(\/\d*)?$/.test(url.pathname)
  } catch {
    return false
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    throw wrong(`a certificate of the URL of the store cannot be read: ${file}`)
  }
}
