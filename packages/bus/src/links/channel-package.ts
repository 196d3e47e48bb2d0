/** The channel in browsers: the `broadcast-channel` package over the browser's own channel. */
import { BroadcastChannel as PackageChannel } from 'broadcast-channel'
import type { NativeChannel, OpenChannel } from './channel.ts'

export const openChannel: OpenChannel = (name, native, receive) => {
  const options = { methods: [methodOver(native)], type: METHOD } as unknown
  const channel = new PackageChannel<string>(
    name,
    options as ConstructorParameters<typeof PackageChannel>[1],
  )
  channel.onmessage = receive
  return {
    post(text) {
      // Only a channel that is closed refuses text, and then nobody is left to hear it.
      channel.postMessage(text).catch(() => {})
    },
    close: () => channel.close(),
  }
}

const METHOD = 'crosstown'
const SENT: Promise<void> = Promise.resolve()

/**
 * The package drops messages stamped earlier than the listener by the wall clock, and so loses
 * some whenever a clock steps back. Given a method whose clock stands still, it drops none.
 */
function methodOver(Native: NativeChannel): object {
  return {
    type: METHOD,
    canBeUsed: () => true,
    averageResponseTime: () => 0,
    microSeconds: () => 0,
    create: (name: string) => new Native(name),
    close: (channel: BroadcastChannel) => channel.close(),
    postMessage(channel: BroadcastChannel, message: unknown) {
      try {
        channel.postMessage(message)
        return SENT
      } catch (error) {
        return Promise.reject(error)
      }
    },
    onMessage(channel: BroadcastChannel, receive: ((message: unknown) => void) | null) {
      channel.onmessage = receive && ((event) => isMessage(event.data) && receive(event.data))
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
