/**
 * The tabs link: all contexts of an origin, over the runtime's own BroadcastChannel. Bytes only.
 */
import type { Link, LinkSource } from './link.ts'

/** The link used by default wherever the runtime has a BroadcastChannel of its own. */
export function tabsLink(): LinkSource {
  return {
    open: (name, { BroadcastChannel: Native }) => Native && openTabs(new Native(name)),
  }
}

function openTabs(channel: BroadcastChannel & { unref?(): void }): Link {
  let closed = false
  return {
    send(text) {
      if (!closed) channel.postMessage(text)
    },
    receive(taker) {
      // Anybody on the origin can post anything on a channel of this name.
      channel.onmessage = ({ data }: MessageEvent<unknown>) => {
        if (!closed && typeof data === 'string') taker(data)
      }
      // A bus keeps no process alive; listening is what would.
      channel.unref?.()
    },
    close() {
      closed = true
      channel.close()
    },
  }
}
