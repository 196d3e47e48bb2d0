import { describe, expect, it } from 'vitest'
import { storyPeers } from '../testing/peers.ts'
import { CAST, helloOf } from '../testing/story.ts'
import { devicesOf, relaysOf } from './devices.ts'
import { shortSite } from './peer-detail.tsx'
import { inWords } from './topology.tsx'
import { layOut } from './topology-layout.ts'
import { parseSubscription } from './why.tsx'
import { clockInWords, mismatchInWords, relayInWords, waitingInWords } from './words.ts'

const [TAB_A, TAB_B, , , PHONE] = CAST.map(({ id }) => id) as [
  string,
  string,
  string,
  string,
  string,
]

describe('peers by device', () => {
  it('are browsers, then servers, then relays; the leader first, who is gone last', () => {
    const devices = devicesOf(storyPeers({ [TAB_B]: { state: 'gone' } }).values())
    expect(devices.map(({ name }) => name)).toEqual(['Browser', 'Browser 2', 'orders', 'Relay'])
    expect(devices[0]?.peers.map(({ name }) => name)).toEqual([
      'tab 1 · Cart',
      'service worker',
      'worker',
      'tab 2 · Orders',
    ])
  })

  it('have one relay for a room, by whichever name it says it', () => {
    const peers = [...storyPeers().values()].map((peer) =>
      peer.hello.kind === 'relay'
        ? { ...peer, id: 'rrrrrrrrrrrr', hello: { ...peer.hello, bus: 'demo' } }
        : peer,
    )
    expect(relaysOf(peers)).toHaveLength(1)
    const { lines, relays } = layOut(new Map(peers.map((peer) => [peer.id, peer])), 900)
    expect(relays).toHaveLength(1)
    expect(lines.filter(({ link }) => link === 'relay')).toHaveLength(3)
  })

  it('know the relay they use, also where it is not inspected itself', () => {
    expect(relaysOf(storyPeers().values())).toEqual([
      { key: 'relay:demo', peer: 'relay:demo', name: 'relay' },
    ])
    const without = [...storyPeers().values()].filter(({ hello }) => hello.kind !== 'relay')
    expect(relaysOf(without)).toEqual([{ key: 'demo', name: 'relay · demo' }])
  })
})

describe('the drawing of who is linked with whom', () => {
  it.each([320, 700, 1600])(
    'stays within %i px, and no two contexts lie on each other',
    (width) => {
      const { contexts, devices, lines, height } = layOut(storyPeers(), width)
      expect(contexts).toHaveLength(6)
      for (const { x, y, width: w, height: h } of [...contexts, ...devices]) {
        expect(x).toBeGreaterThanOrEqual(0)
        expect(x + w).toBeLessThanOrEqual(width)
        expect(y + h).toBeLessThanOrEqual(height)
      }
      for (const a of contexts)
        for (const b of contexts)
          if (a !== b)
            expect(Math.abs(a.x - b.x) >= a.width || Math.abs(a.y - b.y) >= a.height).toBe(true)
      expect(lines.filter(({ link }) => link === 'relay').map(({ from }) => from)).toEqual(
        CAST.filter(({ leads }) => leads).map(({ id }) => id),
      )
      expect(lines.filter(({ link }) => link === 'tabs')).toHaveLength(3)
    },
  )

  it('has no line from whom is gone, and says which link is down', () => {
    const offline = { ...helloOf(CAST[4]!).status, relay: 'offline' as const }
    const placed = layOut(
      storyPeers({ [TAB_A]: { state: 'gone' }, [PHONE]: { status: offline } }),
      700,
    )
    expect(placed.lines.some(({ from, link }) => from === TAB_A && link === 'relay')).toBe(false)
    expect(inWords(placed)).toContain('tab 3 · Shop on a phone is offline at relay room demo')
  })

  it('says the same in words', () => {
    const words = inWords(layOut(storyPeers(), 700))
    expect(words).toContain('Topology: 3 devices, 1 relay')
    expect(words).toContain('Browser with tab 1 · Cart, service worker, tab 2 · Orders and worker')
  })

  it('is empty without peers', () => {
    expect(layOut(new Map(), 320)).toMatchObject({
      relays: [],
      devices: [],
      contexts: [],
      lines: [],
    })
  })
})

describe('a peer in words', () => {
  const peers = storyPeers()
  const tab = peers.get(TAB_A)!

  it('says how it is linked and what waits', () => {
    expect(relayInWords(tab)).toBe('online, 34.0 ms')
    const status = { ...tab.status, queued: 3, outbox: { pending: 2, refused: 1 } }
    expect(waitingInWords({ ...tab, status })).toBe('3 in the pipeline, 2 for the relay, 1 refused')
  })

  it('says its clock, and how sure that is', () => {
    expect(clockInWords(tab)).toBe('as here')
    expect(clockInWords(peers.get(PHONE)!)).toBe('+340 ms ± 4.00 ms')
  })

  it('says which side of a version mismatch is to be updated', () => {
    const newer = { ...tab, hello: { ...tab.hello, inspect: 99, library: '3.0.0' } }
    const older = { ...tab, hello: { ...tab.hello, inspect: 0 } }
    expect(mismatchInWords(newer)).toContain('version 99')
    expect(mismatchInWords(newer)).toContain('Update the extension')
    expect(mismatchInWords(older)).toContain('Update @crosstown/bus in the page')
  })

  it('shortens where a subscription was made', () => {
    expect(shortSite('http://127.0.0.1:5173/src/cart.ts?t=17:12:7')).toBe('cart.ts:12:7')
    expect(parseSubscription('tabA#3')).toEqual({ peer: 'tabA', sub: 3 })
    expect(parseSubscription('relay:demo/3')).toEqual({ peer: 'relay:demo', sub: 3 })
    expect(parseSubscription('nothing')).toBeUndefined()
  })
})
