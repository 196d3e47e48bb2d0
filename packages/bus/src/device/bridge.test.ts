import { describe, expect, it } from 'vitest'
import { VirtualPlatform } from '../testing/virtual-platform.ts'
import { Bridge } from './bridge.ts'

type Said = Record<string, unknown>

/** A device with these contexts, on an origin that has others. */
function setup(...contexts: string[]) {
  const platform = new VirtualPlatform()
  const down: Said[] = []
  const up: string[] = []
  let members = contexts
  const listeners = new Set<(text: string) => void>()
  const bridge = new Bridge({
    platform,
    inspection: {
      receive: (text) => void down.push(JSON.parse(text) as Said),
      onFrame(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    members: () => members.map((id) => ({ id })),
    send: (text) => void up.push(text),
  })
  return {
    bridge,
    platform,
    down,
    up,
    listens: () => listeners.size > 0,
    inspect: (frame: object): void =>
      bridge.receive(JSON.stringify({ inspect: 2, session: '1.s', ...frame })),
    tap(frame: object | string): void {
      const text = typeof frame === 'string' ? frame : JSON.stringify({ inspect: 2, ...frame })
      for (const listener of listeners) listener(text)
    },
    become(...next: string[]): void {
      members = next
      bridge.changed()
    },
  }
}

const attach = { frame: 'attach', credit: 3, resume: { a: 7 } }

describe('what inspectors say', () => {
  it('to all reaches each context of the device by its name, and nobody else of the origin', () => {
    const { down, inspect } = setup('a', 'b')
    inspect(attach)
    expect(down.map(({ frame, to }) => [frame, to])).toEqual([
      ['attach', 'a'],
      ['attach', 'b'],
    ])
    expect(down[0]).toEqual({ inspect: 2, session: '1.s', ...attach, to: 'a' })
    inspect({ frame: 'grant', credit: 1 })
    expect(down.slice(2).map(({ frame, to }) => [frame, to])).toEqual([
      ['grant', 'a'],
      ['grant', 'b'],
    ])
  })

  it('to one reaches that one, if it is of the device', () => {
    const { down, inspect } = setup('a', 'b')
    inspect(attach)
    down.length = 0
    inspect({ frame: 'ask', to: 'b', id: 1, ask: { what: 'store' } })
    inspect({ frame: 'ask', to: 'stranger', id: 2, ask: { what: 'publish', type: 'x' } })
    inspect({ frame: 'attach', to: 'stranger', credit: 9 })
    inspect({ frame: 'grant', to: 'stranger', credit: 9 })
    expect(down.map(({ frame, to }) => [frame, to])).toEqual([['ask', 'b']])
  })

  it('reaches contexts that come later, once each', () => {
    const { become, down, inspect } = setup('a')
    inspect(attach)
    become('a', 'b')
    become('b', 'a')
    expect(down.map(({ to }) => to)).toEqual(['a', 'b'])
    become('b')
    become('b', 'a')
    expect(down.map(({ to }) => to)).toEqual(['a', 'b', 'a'])
  })

  it.each(['', '{', 'null', '[]', '7', '{"frame":"attach"}', '{"frame":"detach","session":7}'])(
    'is passed over where it is %j',
    (text) => {
      const { bridge, down, listens } = setup('a')
      bridge.receive(text)
      expect(down).toEqual([])
      expect(listens()).toBe(false)
    },
  )
})

describe('what taps say', () => {
  it('goes to the relay, of the contexts of the device only', () => {
    const { become, inspect, tap, up } = setup('a')
    inspect(attach)
    tap({ frame: 'hello', peer: 'a' })
    tap({ frame: 'hello', peer: 'of another room' })
    tap({ frame: 'batch', peer: 'b', first: 1, records: [] })
    tap('{')
    tap('null')
    become('a', 'b')
    tap({ frame: 'batch', peer: 'b', first: 2, records: [] })
    expect(up.map((text) => (JSON.parse(text) as Said)['peer'])).toEqual(['a', 'b'])
  })

  it('in answer to somebody of this origin stays here', () => {
    const { inspect, tap, up } = setup('a')
    inspect(attach)
    tap({ frame: 'answer', peer: 'a', session: 'the extension', id: 1, result: 'secret' })
    tap({ frame: 'answer', peer: 'a', session: '1.s', id: 1, result: 'asked for' })
    expect(up).toHaveLength(1)
    expect(up[0]).toContain('asked for')
  })

  it('is listened to from the first who attaches until the last has gone', () => {
    const { bridge, down, inspect, listens, tap, up } = setup('a')
    expect(listens()).toBe(false)
    inspect(attach)
    inspect({ ...attach, session: '2.s' })
    inspect({ frame: 'detach' })
    expect(listens()).toBe(true)
    inspect({ frame: 'detach', session: '2.s' })
    expect(listens()).toBe(false)
    expect(down.filter(({ frame }) => frame === 'detach').map(({ session }) => session)).toEqual([
      '1.s',
      '2.s',
    ])
    inspect(attach)
    bridge.end()
    expect(listens()).toBe(false)
    tap({ frame: 'hello', peer: 'a' })
    expect(up).toEqual([])
  })

  it('is left out where it is too much in a second', () => {
    const { inspect, platform, tap, up } = setup('a')
    inspect(attach)
    const filler = 'x'.repeat(256 * 1024)
    for (let i = 0; i < 40; i++) tap({ frame: 'batch', peer: 'a', first: i, filler })
    expect(up.length).toBeGreaterThan(10)
    expect(up.length).toBeLessThan(17)
    const before = up.length
    platform.advance(1_000)
    tap({ frame: 'batch', peer: 'a', first: 40 })
    expect(up).toHaveLength(before + 1)
  })
})
