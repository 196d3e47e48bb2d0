/**
 * The buses of the origin that the panel itself is a page of, heard on its inspect channel: for a panel
 * that an application's own development server serves.
 */
import { INSPECT_CHANNEL } from '@crosstown/bus/inspect'
import type { InspectSource } from './source.ts'

/** @param origin shown as the label */
export function channelSource(origin: string): InspectSource {
  let channel: BroadcastChannel | undefined
  return {
    label: origin,
    kind: 'page',
    start(sink) {
      channel = new BroadcastChannel(INSPECT_CHANNEL)
      channel.onmessage = ({ data }: MessageEvent<unknown>) => {
        if (typeof data === 'string') sink.frame(data)
      }
      sink.state('open')
    },
    send(text) {
      channel?.postMessage(text)
    },
    close() {
      channel?.close()
      channel = undefined
    },
  }
}
