/**
 * Rooms in NATS JetStream, for any number of relays: an append is one message, which JetStream takes only
 * where the one before it is the last of its room.
 */
import { engineLink } from './engine/engine-store.ts'
import { type NatsOptions, natsAddress } from './nats/address.ts'
import { NatsDriver } from './nats/client.ts'
import { NatsStore } from './nats/store.ts'
import type { Store } from './store.ts'

export type { NatsOptions }

/**
 * A store in NATS 2.9 or newer with JetStream, whose two streams are made where they are missing. Where
 * the server cannot be reached it is waited for: `store.connection` says so.
 *
 * What a confirmed event survives is not to be learnt from a server: by default JetStream answers before
 * it syncs, which it does every two minutes, and so `durability` is `memory`. From 2.10 on a server can be
 * told `sync_interval: always`; say so here with `sync`, and it is `disk`.
 *
 * @param url `nats://user:password@host:port`, a token in place of user and password, or `tls://` with
 *   `?ca=`, `?cert=` and `?key=`, which are files, as `?creds=` is; several hosts with commas between; the
 *   options below as `stream`, `replicas`, `sync`, `durability` and `silence_ms`
 * @throws {BusError} invalid_options for the URL and the options, log_unavailable where NATS refuses, is
 *   too old or has no JetStream, or where there is such a stream that is not for a relay, log_damaged
 *   where that is of a newer relay
 * @example
 * const relay = createRelay({ store: await natsStore('nats://nats.internal:4222?replicas=3') })
 */
export async function natsStore(url: string, options: NatsOptions = {}): Promise<Store> {
  const address = natsAddress(url, options)
  const { durability, silenceMs } = address
  const link = engineLink(new NatsDriver(address), {
    ...options,
    ...(silenceMs !== undefined && { silenceMs }),
    ...(durability && { durability }),
  })
  await link.start()
  return new NatsStore(link)
}
