/**
 * The channel on servers: the runtime's own, between threads of one process. There, the package
 * would bring its file-based method along, and a global that importing it sets.
 */
import type { OpenChannel } from './channel.ts'

export const openChannel: OpenChannel = (name, Native, receive) => {
  const channel: BroadcastChannel & { unref?(): void } = new Native(name)
  channel.onmessage = (event: MessageEvent) => receive(event.data)
  // A bus keeps no process alive; listening is what would.
  channel.unref?.()
  return {
    post: (text) => channel.postMessage(text),
    close: () => channel.close(),
  }
}
