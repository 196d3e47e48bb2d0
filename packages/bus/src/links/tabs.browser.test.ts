import { describe, expect, it } from 'vitest'
import { runtimePlatform } from '../platform.ts'
import { linkContract } from '../testing/link-contract.ts'
import type { Link } from './link.ts'
import { tabsLink } from './tabs.ts'

const platform = runtimePlatform()
const open = (channel: string): Link => tabsLink().open(channel, platform) as Link
linkContract('tabs', { describe, it }, { open })

describe('tabs link', () => {
  it('loses nothing when the wall clock steps back after it began to listen', async () => {
    const [a, b] = [open('clock'), open('clock')]
    const heard = new Promise<string>((resolve) => b.receive(resolve))
    const { now } = Date
    Date.now = () => now() - 3_600_000
    a.send('from an earlier hour')
    Date.now = now
    expect(await heard).toBe('from an earlier hour')
    await Promise.all([a.close(), b.close()])
  })

  it('is not disturbed by what others post on a channel of its name', async () => {
    const end = open('foreign')
    const heard: string[] = []
    const done = new Promise<void>((resolve) =>
      end.receive((text) => {
        heard.push(text)
        if (text === 'ours') resolve()
      }),
    )
    const foreign = new BroadcastChannel('foreign')
    for (const message of [
      null,
      1,
      'text',
      {},
      { type: 'message' },
      { type: 'constructor' },
      new Map(),
    ]) {
      foreign.postMessage(message)
    }
    foreign.close()
    const other = open('foreign')
    other.send('ours')
    await done
    expect(heard.filter((text) => typeof text === 'string')).toEqual(['ours'])
    await Promise.all([end.close(), other.close()])
  })
})
