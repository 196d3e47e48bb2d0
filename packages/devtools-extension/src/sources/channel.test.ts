import { INSPECT_CHANNEL } from '@crosstown/bus/inspect'
import { expect, test, vi } from 'vitest'
import { channelSource } from './channel.ts'

test('a text on the inspect channel of the origin is a frame, and frames go there', async () => {
  const bus = new BroadcastChannel(INSPECT_CHANNEL)
  const heard: unknown[] = []
  bus.onmessage = ({ data }) => heard.push(data)
  const frames: string[] = []
  const states: string[] = []
  const source = channelSource('http://127.0.0.1')
  source.start({
    frame: (text) => frames.push(text),
    state: (state) => states.push(state),
    gone: () => {},
  })
  expect(states).toEqual(['open'])

  bus.postMessage({ not: 'a text' })
  bus.postMessage('from a tap')
  source.send('from the inspector')
  await vi.waitFor(() => expect([frames, heard]).toEqual([['from a tap'], ['from the inspector']]))

  source.close()
  source.send('nobody hears this')
  bus.close()
})
