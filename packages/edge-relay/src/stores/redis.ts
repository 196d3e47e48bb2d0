/**
 * Rooms in Redis, for any number of relays: the records of a room are a Redis Stream, and an append is
 * one script.
 */
import { engineLink } from './engine/engine-store.ts'
import { type RedisOptions, redisAddress } from './redis-address.ts'
import { RedisDriver } from './redis-client.ts'
import { RedisStore } from './redis-store.ts'
import type { Store } from './store.ts'

export type { RedisOptions }

/**
 * A store in Redis 6.2 or newer: one server with its replicas, no cluster. `maxmemory-policy` must be
 * `noeviction`, since otherwise Redis itself removes rooms. Confirmed events are on disk where Redis has
 * `appendonly yes` and `appendfsync always`; what else there is can lose the newest in a crash. Where the
 * server cannot be reached it is waited for: `store.connection` says so.
 *
 * @param url `redis://user:password@host:port/number`, or `rediss://`, there with `?ca=/file` where its
 *   certificate is signed by nobody known; the options below as `prefix`, `durability` and `silence_ms`
 * @throws {BusError} invalid_options for the URL and the options, log_unavailable where Redis refuses, or
 *   is not set up so
 * @example
 * const relay = createRelay({ store: await redisStore('redis://cache.internal:6379') })
 */
export async function redisStore(url: string, options: RedisOptions = {}): Promise<Store> {
  const address = redisAddress(url, options)
  const { durability, prefix, silenceMs } = address
  const link = engineLink(new RedisDriver(address), {
    ...options,
    ...(silenceMs !== undefined && { silenceMs }),
    ...(durability && { durability }),
  })
  await link.start()
  return new RedisStore(link, prefix)
}
