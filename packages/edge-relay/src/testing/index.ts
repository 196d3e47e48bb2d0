/**
 * For those who write a store of their own: the suite every store is held to; the relay of a test
 * network; and an inspector of a room.
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
