/** What the URL of a PostgreSQL database says. */
import { readFileSync } from 'node:fs'
import type { EngineOptions } from './engine/engine-store.ts'
import { DIGITS, decoded, queryOf, STRICT, strictIn, wrong } from './engine/url.ts'

/** How a relay uses its database. */
export interface PostgresOptions extends EngineOptions {
  /** Schema of its tables, made where it is missing: lower case letters, digits, `_`. @default 'crosstown' */
  readonly schema?: string
  /** Connections at most. @default 8 */
  readonly connections?: number
  /**
   * When a commit counts, as PostgreSQL's `synchronous_commit`. With `off` a crash of the server loses
   * the newest commits, confirmed ones included. @default that of the database; `on` where durability
   * is `strict`
   */
  readonly synchronousCommit?: 'on' | 'local' | 'remote_write' | 'remote_apply' | 'off'
}

/** Where the database is, and how it is used. */
export interface PostgresAddress {
  readonly schema: string
  /** As the driver has them. */
  readonly options: Readonly<Record<string, unknown>>
  /** Settings of the server for these connections. */
  readonly parameters: Readonly<Record<string, string>>
  readonly silenceMs?: number | undefined
  readonly durability?: 'strict'
}

const SYNCHRONOUS_COMMIT = ['on', 'local', 'remote_write', 'remote_apply', 'off']
const PORT = 5432
const MOST_CONNECTIONS = 1_000

const OPTIONS = {
  host: /^[^,]+$/,
  schema: /./,
  connections: DIGITS,
  silence_ms: DIGITS,
  durability: STRICT,
  synchronous_commit: SYNCHRONOUS_COMMIT,
  sslmode: ['disable', 'prefer', 'require', 'verify-full'],
  sslrootcert: /./,
  sslcert: /./,
  sslkey: /./,
  application_name: /./,
  target_session_attrs: ['read-write', 'primary'],
}

/** @throws {BusError} invalid_options */
export function postgresAddress(text: string, given: PostgresOptions): PostgresAddress {
  const parts = URL_PARTS.exec(text)?.groups
  if (!parts) throw wrong('the URL of the store is no postgres://user:password@host:port/database')
  const asked = queryOf(parts['search'] ?? '', OPTIONS)
  const {
    schema = asked['schema'] ?? 'crosstown',
    connections = Number(asked['connections'] ?? 8),
    durability = asked['durability'],
    synchronousCommit = asked['synchronous_commit'] ?? (durability && 'on'),
    silenceMs = asked['silence_ms'] === undefined ? undefined : Number(asked['silence_ms']),
  } = given
  if (!(Number.isInteger(connections) && connections >= 1 && connections <= MOST_CONNECTIONS)) {
    throw wrong(`connections: a whole number from 1 to ${MOST_CONNECTIONS}`)
  }
  if (synchronousCommit !== undefined && !SYNCHRONOUS_COMMIT.includes(synchronousCommit)) {
    throw wrong(`synchronousCommit: ${SYNCHRONOUS_COMMIT.join(', ')}`)
  }
  const { user, password, database } = parts
  const places = placesOf(parts['hosts'] ?? '', asked['host'])
  const isOneOfMany = asked['target_session_attrs'] !== undefined || places.host.length > 1
  return {
    schema: schemaNamed(schema),
    silenceMs,
    ...strictIn(asked),
    options: {
      ...places,
      max: connections,
      ...(user && { username: decoded(user) }),
      ...(password !== undefined && { password: decoded(password) }),
      ...(database && { database: decoded(database) }),
      // For `read-write` the driver asks what transactions are by default: so a hot standby passes for it.
      ...(isOneOfMany && { target_session_attrs: 'primary' }),
      ssl: securityOf(asked),
    },
    parameters: {
      ...(synchronousCommit !== undefined && { synchronous_commit: synchronousCommit }),
      ...(asked['application_name'] && { application_name: asked['application_name'] }),
    },
  }
}

/** @throws {BusError} invalid_options */
export function schemaNamed(schema: string): string {
  if (/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) return schema
  throw wrong('schema: lower case letters, digits and _, at most 63')
}

const URL_PARTS =
  /^postgres(ql)?:\/\/((?<user>[^:@/?]*)(:(?<password>[^@/?]*))?@)?(?<hosts>[^/?@]*)(\/(?<database>[^/?]*))?(\?(?<search>.*))?$/

interface Places {
  readonly host: readonly string[]
  readonly port: readonly number[]
  readonly path?: string
}

/** Each in turn, where there are several. */
function placesOf(hosts: string, other: string | undefined): Places {
  const places = (hosts || 'localhost').split(',').map((place) => {
    const found = /^(\[(?<six>[0-9a-fA-F:.]+)\]|(?<name>[^:[\]]*))(:(?<port>\d{1,5}))?$/.exec(place)
    const { six, name, port = PORT } = found?.groups ?? {}
    if (!found || Number(port) > 65_535) {
      throw wrong('the URL of the store has a host, or a port, that is none')
    }
    return { host: six ?? decoded(name || 'localhost'), port: Number(port) }
  })
  const port = places.map((place) => place.port)
  // As libpq has it: the folder of a Unix socket, or a host.
  if (other?.startsWith('/'))
    return { host: ['localhost'], port, path: `${other}/.s.PGSQL.${port[0]}` }
  return { host: other === undefined ? places.map(({ host }) => host) : [other], port }
}

type Security = false | 'prefer' | 'require' | 'verify-full' | Readonly<Record<string, string>>

/** `require` encrypts, and asks nobody who the server is, as libpq has it. */
function securityOf(asked: Readonly<Record<string, string>>): Security {
  const { sslmode = 'disable', sslrootcert, sslcert, sslkey } = asked
  const files = { ca: sslrootcert, cert: sslcert, key: sslkey }
  const named = Object.entries(files).filter(([, file]) => file !== undefined && file !== 'system')
  if (sslrootcert !== undefined && sslmode !== 'verify-full') {
    throw wrong('sslrootcert is for sslmode=verify-full: no other asks who the server is')
  }
  if (named.length === 0) return sslmode === 'disable' ? false : (sslmode as Security)
  if (sslmode !== 'verify-full') throw wrong('sslcert and sslkey are for sslmode=verify-full')
  return Object.fromEntries(named.map(([name, file]) => [name, textOf(file as string)]))
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    throw wrong(`a certificate of the URL of the store cannot be read: ${file}`)
  }
}
