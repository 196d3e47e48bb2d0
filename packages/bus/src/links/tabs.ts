/**
 * The tabs link: all contexts of an origin, over the runtime's own BroadcastChannel. Bytes only.
 */
import { BroadcastChannel as Channel } from 'broadcast-channel'
import type { Platform } from '../platform.ts'
import type { Link, LinkSource } from './link.ts'

/** The link used by default wherever the runtime has a BroadcastChannel of its own. */
export function tabsLink(): LinkSource {
  return {
    open: (channel, platform) =>
      platform.BroadcastChannel === undefined
        ? undefined
        : openTabs(channel, platform.BroadcastChannel),
  }
}

type NativeChannel = InstanceType<NonNullable<Platform['BroadcastChannel']>>

/**
 * The package drops messages stamped earlier than the listener by the wall clock, and so loses
 * some whenever a clock steps back. Given a method whose clock stands still, it drops none.
 */
function nativeMethod(Native: NonNullable<Platform['BroadcastChannel']>): object {
  return {
    type: 'crosstown',
    canBeUsed: () => true,
    averageResponseTime: () => 0,
    microSeconds: () => 0,
    create(name: string) {
      const channel: NativeChannel & { unref?(): void } = new Native(name)
      channel.unref?.()
      return channel
    },
    close(channel: NativeChannel) {
      channel.close()
    },
    postMessage(channel: NativeChannel, message: unknown) {
      try {
        channel.postMessage(message)
        return SENT
      } catch (error) {
        return Promise.reject(error)
      }
    },
    onMessage(channel: NativeChannel, receive: ((message: unknown) => void) | null) {
      channel.onmessage =
        receive && ((event: MessageEvent) => isMessage(event.data) && receive(event.data))
    },
  }
}

const SENT: Promise<void> = Promise.resolve()

/** Anybody on the origin can post anything on a channel of this name. */
function isMessage(message: unknown): boolean {
  return (
    typeof message === 'object' &&
    message !== null &&
    (message as { type?: unknown }).type === 'message'
  )
}

function openTabs(name: string, Native: NonNullable<Platform['BroadcastChannel']>): Link {
  const method = nativeMethod(Native)
  const options = { methods: [method], type: 'crosstown' } as unknown as ConstructorParameters<
    typeof Channel
  >[1]
  const channel = new Channel<string>(name, options)
  let closed = false
  return {
    send(text) {
      // Only a channel that is closed refuses text, and then nobody is left to hear it.
      if (!closed) channel.postMessage(text).catch(() => {})
    },
    receive(receiver) {
      channel.onmessage = receiver
    },
    close() {
      if (closed) return undefined
      closed = true
      return channel.close()
    },
  }
}
