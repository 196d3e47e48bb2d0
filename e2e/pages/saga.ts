/** The saga of the examples in a page, for tests to call; its services are what a test has responded. */
import { createBus } from '@crosstown/bus'
import { checkoutSteps } from '../../demo/examples/saga/checkout.ts'
import { type Events, events } from '../../demo/examples/saga/events.ts'
import { runSaga } from '../../demo/examples/saga/saga.ts'

const bus = createBus<Events>({ name: 'checkout', events })
const saga = { bus, run: () => runSaga(bus, checkoutSteps(bus)) }

declare global {
  var checkout: typeof saga
}
globalThis.checkout = saga
