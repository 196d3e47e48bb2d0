/**
 * The tabs link: all contexts of an origin, over the runtime's own BroadcastChannel. Bytes only.
 */
import { openChannel } from '#channel'
import type { NativeChannel } from './channel.ts'
import type { Link, LinkSource } from './link.ts'

/** The link used by default wherever the runtime has a BroadcastChannel of its own. */
export function tabsLink(): LinkSource {
  return {
    open: (channel, { BroadcastChannel: native }) => native && openTabs(channel, native),
  }
}

function openTabs(name: string, native: NativeChannel): Link {
  let receiver: ((text: string) => void) | undefined
  let closed = false
  const channel = openChannel(name, native, (message) => {
    if (!closed && typeof message === 'string') receiver?.(message)
  })
  return {
    send(text) {
      if (!closed) channel.post(text)
    },
    receive(taker) {
      receiver = taker
    },
    close() {
      if (closed) return undefined
      closed = true
      return channel.close()
    },
  }
}
