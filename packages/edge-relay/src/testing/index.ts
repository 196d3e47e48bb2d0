/**
 * For those who write a store of their own: the suite every store is held to; the relay of a test
 * network; an inspector of a room; and a judge of what writers and readers of streams were told.
 *
 * @example
 * import { storeContract } from '@crosstown/edge-relay/testing'
 * import { describe, expect, it } from 'vitest'
 *
 * storeContract({ describe, it, expect }, 'my store', async () => ({ store: await myStore() }))
 */
export { connectInspector, type InspectorProbe } from './inspector.ts'
export { type SimulatedRelayOptions, simulatedRelay } from './simulated-relay.ts'
export {
  type StoreCapabilities,
  type StoreFixture,
  storeContract,
  type TestRunner,
} from './store-contract.ts'
export {
  type Answered,
  type Expectation,
  type HistoryEvent,
  StreamHistory,
  type StreamInput,
  type StreamOperation,
  type StreamOutput,
} from './stream-history.ts'
