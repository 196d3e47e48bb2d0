/** The channel in browsers: the `broadcast-channel` package over the browser's own channel. */
import { BroadcastChannel as PackageChannel } from 'broadcast-channel'
import type { OpenChannel } from './channel.ts'

export const openChannel: OpenChannel = (name, Native, receive) => {
  const native = new Native(name)
  const options = { methods: [methodOver(native)], type: METHOD } as unknown
  const channel = new PackageChannel<string>(
    name,
    options as ConstructorParameters<typeof PackageChannel>[1],
  )
  channel.onmessage = receive
  return {
    // Straight to the browser's channel: the package posts a microtask later, when the caller of
    // `publish` has ended his task, and other tabs would wait for all of it.
    post: (text) => native.postMessage({ time: 0, type: 'message', data: text }),
    close: () => channel.close(),
  }
}

const METHOD = 'crosstown'
const SENT: Promise<void> = Promise.resolve()

/**
 * The package drops messages stamped earlier than the listener by the wall clock, and so loses
 * some whenever a clock steps back. Given a method whose clock stands still, it drops none.
 */
function methodOver(native: BroadcastChannel): object {
  return {
    type: METHOD,
    canBeUsed: () => true,
    averageResponseTime: () => 0,
    microSeconds: () => 0,
    create: () => native,
    close: () => native.close(),
    postMessage(_: unknown, message: unknown) {
      native.postMessage(message)
      return SENT
    },
    onMessage(_: unknown, receive: ((message: unknown) => void) | null) {
      native.onmessage = receive && ((event) => isMessage(event.data) && receive(event.data))
    },
  }
}

/** Anybody on the origin can post anything on a channel of this name. */
function isMessage(message: unknown): boolean {
  return (
    typeof message === 'object' &&
    message !== null &&
    (message as { type?: unknown }).type === 'message'
  )
}
