// An inspector in a thread of its own: attaches, reads all, and grants more. It says how many events
// it was told of when it is asked.
import { parentPort } from 'node:worker_threads'
import { INSPECT_CHANNEL, INSPECT_VERSION, isTapFrame } from '@crosstown/bus/inspect'

const channel = new BroadcastChannel(INSPECT_CHANNEL)
const post = (frame) =>
  channel.postMessage(JSON.stringify({ inspect: INSPECT_VERSION, session: 'bench', ...frame }))
let told = 0
let lost = 0

channel.onmessage = ({ data }) => {
  if (!isTapFrame(data)) return
  const frame = JSON.parse(data)
  if (frame.frame === 'hello') parentPort.postMessage('attached')
  if (frame.frame !== 'batch') return
  post({ frame: 'grant', credit: 1 })
  lost += frame.dropped?.count ?? 0
  for (const record of frame.records) {
    if (record.is === 'published') told += record.events.length
  }
}

parentPort.on('message', (asked) => {
  if (asked === 'attach') post({ frame: 'attach', credit: 64 })
  else if (asked === 'detach') post({ frame: 'detach' })
  else parentPort.postMessage({ told, lost })
})
