import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Doors, Pipe } from './doors.ts'
import { extensionSource, type TabAccess } from './extension.ts'
import type { PipeMessage } from './wire.ts'

/** A frame at the other end of a pipe. */
class Frame {
  readonly posted: PipeMessage[] = []
  #heard: (message: unknown) => void = () => {}
  #closed: (cut: boolean) => void = () => {}
  readonly pipe: Pipe

  constructor(origin: string | undefined) {
    this.pipe = {
      origin,
      post: (message) => this.posted.push(message),
      onMessage: (heard) => {
        this.#heard = heard
      },
      onClose: (closed) => {
        this.#closed = closed
      },
    }
  }

  say(message: unknown): void {
    this.#heard(message)
  }
  go(cut = false): void {
    this.#closed(cut)
  }
}

const SHOP = 'https://shop.example'
const ADS = 'https://ads.example'

/** A tab whose frames come and go; `woken` says whether one hears the panel wake it. */
function tab(access: Awaited<ReturnType<TabAccess['state']>> = { access: 'none' }) {
  let joined: (pipe: Pipe) => void = () => {}
  const waits: { run: () => void; ms: number }[] = []
  const tab = {
    woken: false,
    wakes: 0,
    closed: false,
    told: [] as (string | readonly string[])[],
    waits,
    join(origin = SHOP): Frame {
      const frame = new Frame(origin || undefined)
      joined(frame.pipe)
      return frame
    },
    /** All that is under way comes to rest. */
    async rest(): Promise<void> {
      for (let turn = 0; turn < 20; turn++) await undefined
    },
    /** The next wait is over. */
    async later(): Promise<number | undefined> {
      const wait = waits.shift()
      wait?.run()
      await tab.rest()
      return wait?.ms
    },
  }
  const doors: Doors = {
    open(to) {
      joined = to
    },
    async wake() {
      tab.wakes += 1
      return tab.woken
    },
    close() {
      tab.closed = true
    },
  }
  const source = extensionSource({
    doors,
    tab: { state: async () => access },
    later: (run, ms) => waits.push({ run, ms }),
  })
  source.start({
    frame: (text) => tab.told.push(`frame ${text}`),
    state: (state, detail) => tab.told.push(detail ? `${state}: ${detail}` : state),
    gone: (peers) => tab.told.push(peers),
  })
  return Object.assign(tab, { source })
}

/** A frame that carries. */
function opened(page: { join(origin?: string): Frame }, origin?: string): Frame {
  const frame = page.join(origin)
  frame.say({ open: true })
  return frame
}

const hello = (peer: string): string => JSON.stringify({ inspect: 2, frame: 'hello', peer })

describe('the pages of a tab', () => {
  it('are open when a frame carries, and not before', async () => {
    const { told, join, source, rest } = tab()
    await rest()
    const frame = join()
    source.send('{"frame":"attach"}')
    expect(told).not.toContain('open')
    frame.say({ open: true })
    expect(told.at(-1)).toBe('open')
    source.send('{"frame":"attach"}')
    expect(frame.posted).toEqual(['{"frame":"attach"}'])
  })

  it('are open once more when another frame carries: it has to be attached to', () => {
    const { told, join } = tab()
    for (const frame of [join(), join()]) frame.say({ open: true })
    expect(told.filter((state) => state === 'open')).toHaveLength(2)
  })

  it('take with them the peers that were heard through them, and are not heard again soon', async () => {
    const page = tab()
    await page.rest()
    const [one, other] = [page.join(), page.join()]
    for (const frame of [one, other]) frame.say({ open: true })
    await page.later()
    for (const peer of ['a', 'b', 'c']) one.say(hello(peer))
    other.say(hello('d'))
    one.go()
    other.say(hello('b'))
    expect(page.told.filter(Array.isArray)).toEqual([])
    expect(await page.later()).toBe(3_000)
    expect(page.told.at(-1)).toEqual(['a', 'c'])
  })

  it('that are loaded anew lose nobody who is still there', async () => {
    const page = tab()
    await page.rest()
    const before = page.join()
    before.say({ open: true })
    before.say(hello('other tab'))
    before.go()
    await page.rest()
    const after = page.join()
    after.say({ open: true })
    after.say(hello('other tab'))
    while (page.waits.length > 0) await page.later()
    expect(page.told.filter(Array.isArray)).toEqual([])
  })

  it('are woken until one carries, ever less often', async () => {
    const page = tab()
    await page.rest()
    const waits = []
    for (let attempt = 0; attempt < 8; attempt++) waits.push(await page.later())
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000])
    expect(page.wakes).toBe(9)
    page.join().say({ open: true })
    await page.later()
    expect(page.wakes).toBe(9)
    expect(page.waits).toEqual([])
  })

  it('are woken at once when the last one goes', async () => {
    const page = tab({ access: 'granted', site: 'http://localhost' })
    page.woken = true
    await page.rest()
    const frame = page.join()
    frame.say({ open: true })
    await page.later()
    frame.go()
    await page.rest()
    expect(page.told.at(-1)).toBe('reconnecting')
    expect(page.waits.map(({ ms }) => ms)).toContain(100)
  })

  it('that were only cut off are the same pages, attached to once more', async () => {
    const page = tab()
    page.woken = true
    await page.rest()
    const frame = page.join()
    frame.say({ open: true })
    frame.go(true)
    page.join().say({ open: true })
    await page.rest()
    expect(page.told.slice(-2)).toEqual(['open', 'open'])
    expect(page.told).not.toContain('reconnecting')
  })

  it('are left alone by a source that is closed', async () => {
    const page = tab()
    await page.rest()
    const frame = page.join()
    frame.say({ open: true })
    page.source.close()
    const told = page.told.length
    frame.say(hello('a'))
    frame.go()
    await page.later()
    expect(page.closed).toBe(true)
    expect(page.told).toHaveLength(told)
    expect(page.wakes).toBe(1)
  })

  it.each([
    [{ access: 'none' }, 'connecting: This tab shows no page that the extension can look at.'],
    [
      { access: 'site', site: 'https://shop.example' },
      'refused: The extension has no access to https://shop.example.',
    ],
    [
      { access: 'granted', site: 'http://localhost:5173' },
      'connecting: The page does not answer: it was loaded before the extension was installed or updated. Reload it.',
    ],
  ] as const)('that do not answer are explained: %j', async (access, words) => {
    const { told, rest } = tab(access)
    await rest()
    expect(told.at(-1)).toBe(words)
  })

  it('of two origins are each told what is for them, and nothing of the other', () => {
    const page = tab()
    const [shop, ads] = [opened(page), opened(page, ADS)]
    shop.say(hello('a'))
    ads.say(hello('b'))
    const grant = JSON.stringify({ frame: 'grant', session: 's', credit: 0 })
    const ask = JSON.stringify({ frame: 'ask', session: 's', to: 'a', id: 1 })
    const stranger = JSON.stringify({ frame: 'ask', session: 's', to: 'nobody', id: 2 })
    const attach = { frame: 'attach', session: 's', credit: 16 }
    for (const text of [grant, ask, stranger]) page.source.send(text)
    page.source.send(JSON.stringify({ ...attach, resume: { a: 3, b: 5 } }))
    page.source.send(JSON.stringify({ ...attach, resume: { a: 3 } }))
    const read = ({ posted }: Frame) => posted.map((text) => JSON.parse(text as string))
    expect(read(shop)).toEqual([
      JSON.parse(grant),
      JSON.parse(ask),
      { ...attach, resume: { a: 3 } },
      { ...attach, resume: { a: 3 } },
    ])
    expect(read(ads)).toEqual([JSON.parse(grant), { ...attach, resume: { b: 5 } }, attach])
  })

  it.each([
    ['plainly', '{"inspect":2,"frame":"batch","peer":"a"}'],
    [
      'in a frame that names another one first',
      '{"inspect":2,"frame":"bye","peer":"b","peer":"a"}',
    ],
    ['spelled in escapes', '{"inspect":2,"frame":"bye","peer":"b","\\u0070eer":"\\u0061"}'],
    ['in a frame that names another one within', '{"frame":"bye","is":{"peer":"b"},"peer":"a"}'],
    ['late', `{"frame":"bye","is":"${'.'.repeat(5_000)}","peer":"a"}`],
  ])('do not speak for a peer of another origin, %s', (_, text) => {
    const page = tab()
    const [shop, ads] = [opened(page), opened(page, ADS)]
    shop.say(hello('a'))
    ads.say(hello('b'))
    const before = page.told.length
    ads.say(text)
    expect(page.told).toHaveLength(before)
    shop.say(text)
    expect(page.told.at(-1)).toBe(`frame ${text}`)
  })

  it('of an origin that was left keep their peers until those are gone', async () => {
    const page = tab()
    await page.rest()
    const shop = opened(page)
    shop.say(hello('a'))
    shop.go()
    const ads = opened(page, ADS)
    ads.say(hello('a'))
    expect(page.told.filter((told) => told === `frame ${hello('a')}`)).toHaveLength(1)
    while (page.waits.length > 0) await page.later()
    expect(page.told.at(-1)).toEqual(['a'])
    ads.say(hello('a'))
    expect(page.told.at(-1)).toBe(`frame ${hello('a')}`)
  })

  it('are asked on through the frame of their origin that carries now', async () => {
    const page = tab()
    await page.rest()
    const before = opened(page)
    before.say(hello('a'))
    before.go(true)
    const after = opened(page)
    page.source.send(JSON.stringify({ frame: 'attach', session: 's', resume: { a: 7 } }))
    expect(after.posted.map((text) => JSON.parse(text as string))).toMatchObject([
      { resume: { a: 7 } },
    ])
  })

  it('without an origin are each their own, and come back after they were cut off', () => {
    const page = tab()
    const [one, other] = [opened(page, ''), opened(page, '')]
    one.say(hello('a'))
    const before = page.told.length
    other.say(hello('a'))
    expect(page.told).toHaveLength(before)
    one.go(true)
    opened(page, '').say(hello('a'))
    expect(page.told.at(-1)).toBe(`frame ${hello('a')}`)
  })

  it('cannot make a source fail, whatever they say, and are heard only as taps', () => {
    fc.assert(
      fc.property(fc.array(fc.anything()), (messages) => {
        const { told, join } = tab()
        const frame = join()
        frame.say({ open: true })
        const before = told.length
        for (const message of messages) {
          if ((message as { open?: unknown } | null)?.open !== true) frame.say(message)
        }
        frame.say(hello('a'))
        expect(told.slice(before)).toEqual([`frame ${hello('a')}`])
      }),
    )
  })
})
