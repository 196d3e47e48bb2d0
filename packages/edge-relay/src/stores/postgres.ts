/**
 * Rooms in PostgreSQL, for any number of relays. An append is one statement, which moves the head of
 * its room where that is the expected one and else writes nothing.
 */
import { engineLink } from './engine/engine-store.ts'
import { type PostgresOptions, postgresAddress } from './postgres-address.ts'
import { PostgresDriver } from './postgres-client.ts'
import { PostgresStore } from './postgres-store.ts'
import type { Store } from './store.ts'

export type { PostgresOptions }

/**
 * A store in a PostgreSQL database (13 or newer), whose tables are made where they are missing. Where the
 * server cannot be reached it is waited for: `store.connection` says so.
 *
 * @param url `postgres://user:password@host:port/database`, with several hosts where one of them is to be
 *   found; `?host=/folder` for a Unix socket, `?sslmode=verify-full`, and the options below as
 *   `schema`, `connections`, `synchronous_commit`, `durability` and `silence_ms`
 * @throws {BusError} invalid_options for the URL and the options, log_unavailable where the server
 *   refuses, log_damaged where the tables are of a newer relay
 * @example
 * const relay = createRelay({ store: await postgresStore('postgres://relay@db.internal/shop') })
 */
export async function postgresStore(url: string, options: PostgresOptions = {}): Promise<Store> {
  const address = postgresAddress(url, options)
  const { durability, silenceMs } = address
  const link = engineLink(new PostgresDriver(address), {
    ...options,
    ...(silenceMs !== undefined && { silenceMs }),
    ...(durability && { durability }),
  })
  await link.start()
  return new PostgresStore(link)
}
