/**
 * For tests of applications: a bus that records, one that does nothing, and a network of devices. For
 * those who write a log or a link of their own: the suites that ours pass, and values that must come
 * out the same everywhere.
 *
 * @example
 * import { createRecordingBus } from '@crosstown/bus/testing'
 * const bus = createRecordingBus<Shop>()
 * checkout(bus)
 * expect(bus.count('order.placed')).toBe(1)
 * @example
 * import { describe, it } from 'vitest'
 * import { logContract } from '@crosstown/bus/testing'
 * logContract('my log', { describe, it }, { create: () => new MyLog() })
 */
export type { Link, LinkSource } from '../links/link.ts'
export { memoryLink } from '../links/memory.ts'
export type { Log, LogSource } from '../log/log.ts'
export type { AloneOptions, AloneSchemaOptions, AloneVersionedOptions } from './alone.ts'
export type { WaitOptions } from './ledger.ts'
export { type LinkContractOptions, linkContract } from './link-contract.ts'
export { type LogContractOptions, logContract } from './log-contract.ts'
export type { TestBusOptions, TestContext } from './network/context.ts'
export type { TestDevice } from './network/device.ts'
export { createTestNetwork, type TestNetwork, type TestNetworkOptions } from './network/network.ts'
export { Random } from './network/random.ts'
export type { TestRelay } from './network/relay.ts'
export type {
  Joined,
  PostedEvent,
  ReadEvent,
  RelayHost,
  RelayProcess,
  RelayProgram,
  RoomContents,
  RoomEvent,
  SignalFaults,
  StoreLink,
} from './network/relay-program.ts'
export type { RelayEnd, RelayEndEvents } from './network/wire.ts'
export { createNoopBus, type NoopBus } from './noop.ts'
export { createRecordingBus, type RecordingBus } from './recording.ts'
export type { Runner } from './suite.ts'
export { fingerprint, type NamedValue, REFUSED_VALUES, VALUES } from './values.ts'
