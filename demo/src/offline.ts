/** The offline switch: it takes all tabs of this device off the relay, and back. */
import { bus, busName, relay, room } from './bus.ts'
import { rememberOffline, wasOffline } from './settings.ts'
import { createStore } from './store.ts'

export const offline = createStore(relay.paused)

function apply(on: boolean): void {
  if (on) relay.pause()
  else relay.resume()
  offline.set(on)
}

bus.subscribe('demo.offline', ({ data }) => {
  rememberOffline(busName, room, data.on)
  apply(data.on)
})

// A tab that was asleep did not hear of it.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') apply(wasOffline(busName, room))
})

export function setOffline(on: boolean): void {
  void bus.publish('demo.offline', { on }, { scope: 'device', persist: false })
}
