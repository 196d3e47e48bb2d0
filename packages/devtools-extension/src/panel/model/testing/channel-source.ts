/** The inspect channel of the process or origin a test runs in: real taps of real buses. */
import { INSPECT_CHANNEL, isTapFrame } from '@crosstown/bus/inspect'
import type { InspectSource, SourceSink } from '../../../sources/source.ts'

export class ChannelSource implements InspectSource {
  readonly label = 'this process'
  readonly kind = 'page'
  readonly #channel: BroadcastChannel = new BroadcastChannel(INSPECT_CHANNEL)

  start(sink: SourceSink): void {
    this.#channel.onmessage = ({ data }: MessageEvent) => {
      if (typeof data === 'string' && isTapFrame(data)) sink.frame(data)
    }
    sink.state('open')
  }

  send(text: string): void {
    this.#channel.postMessage(text)
  }

  close(): void {
    this.#channel.close()
  }
}
