/** What every link between peers must do. */
import type { Link } from '../links/link.ts'
import { must, mustEqual, type Runner } from './suite.ts'

export interface LinkContractOptions {
  /** Opens one end on a channel; ends on the same channel hear each other. */
  open(channel: string): Link | Promise<Link>
  /**
   * How many ends a channel may have: 2 where a link leads to one other end only, as a port does.
   * @default 3
   */
  readonly ends?: 2 | 3
}

/**
 * Titles of the tests are the points of the contract; docs/links.md lists them.
 *
 * @example
 * import { describe, it } from 'vitest'
 * linkContract('my link', { describe, it }, { open: (channel) => new MyLink(channel) })
 */
export function linkContract(
  name: string,
  { describe, it }: Runner,
  { open, ends: most = 3 }: LinkContractOptions,
): void {
  let channels = 0
  const ends = async (count: number): Promise<[End, End, ...End[]]> => {
    const channel = `contract-${name.replaceAll(/[^A-Za-z0-9]/g, '-')}-${++channels}`
    const opened: End[] = []
    for (let n = 0; n < count; n++) opened.push(new End(await open(channel)))
    return opened as [End, End, ...End[]]
  }
  const test = (
    title: string,
    body: (a: End, b: End, c: End | undefined) => Promise<void>,
  ): void => {
    it(title, async () => {
      const opened = await ends(most)
      try {
        await body(opened[0], opened[1], opened[2])
      } finally {
        await Promise.all(opened.map((end) => end.link.close()))
      }
    })
  }

  describe(`link contract: ${name}`, () => {
    test('a text reaches every other end, both ways', async (a, b, c) => {
      a.link.send('from a')
      await Promise.all([b.until(1), c?.until(1)])
      b.link.send('from b')
      await Promise.all([a.until(1), c?.until(2)])
      mustEqual([a.heard, b.heard], [['from b'], ['from a']], 'each hears the other')
      if (c) mustEqual(c.heard, ['from a', 'from b'], 'a third hears both')
    })

    test('nobody hears itself', async (a, b) => {
      a.link.send('one')
      b.link.send('two')
      await Promise.all([a.until(1), b.until(1)])
      mustEqual([a.heard, b.heard], [['two'], ['one']], 'only the other text arrives')
    })

    test('texts of one sender arrive whole and in order', async (a, b) => {
      const texts = Array.from({ length: 500 }, (_, i) => `${i}\n${'x'.repeat(i % 50)}`)
      for (const text of texts) a.link.send(text)
      await b.until(texts.length)
      mustEqual(b.heard, texts, 'all of them, in order')
    })

    test('any text comes out as it went in', async (a, b) => {
      const texts = ['', '\n', '\u0000', '🙂 漢字 é', '{"frame":"x"}\n[1]', 'y'.repeat(1024 * 1024)]
      for (const text of texts) a.link.send(text)
      await b.until(texts.length)
      must(
        texts.every((text, i) => b.heard[i] === text),
        'newlines, NUL, other planes and a mebibyte',
      )
    })

    test('no receiver is called within send', async (a, b) => {
      let sending = true
      const called: boolean[] = []
      b.onText = () => called.push(sending)
      a.link.send('now')
      sending = false
      await b.until(1)
      mustEqual(called, [false], 'the text arrives after send has returned')
    })

    test('a receiver may send, and the answer arrives', async (a, b) => {
      b.onText = (text) => b.link.send(`${text} heard`)
      a.link.send('this')
      await a.until(1)
      mustEqual(a.heard, ['this heard'], 'the answer to the text')
    })

    test('after close nothing is heard, and sending is no error', async (a, b, c) => {
      await b.link.close()
      a.link.send('after')
      b.link.send('from the closed')
      a.link.send('last')
      await c?.until(2)
      // Where there is no third end to wait for: others exchange a text meanwhile.
      await exchange(await ends(2))
      mustEqual(b.heard, [], 'a closed end hears nothing')
      mustEqual(a.heard, [], 'and is not heard')
      if (c) mustEqual(c.heard, ['after', 'last'], 'the others go on')
    })

    test('close can be called twice', async (a) => {
      await a.link.close()
      await a.link.close()
    })
  })
}

async function exchange(ends: readonly [End, End, ...End[]]): Promise<void> {
  const [a, b] = ends
  a.link.send('meanwhile')
  await b.until(1)
  await Promise.all(ends.map((end) => end.link.close()))
}

class End {
  readonly link: Link
  readonly heard: string[] = []
  onText: ((text: string) => void) | undefined
  #waiting: { count: number; resolve: () => void } | undefined

  constructor(link: Link) {
    this.link = link
    link.receive((text) => {
      this.heard.push(text)
      this.onText?.(text)
      if (this.#waiting && this.heard.length >= this.#waiting.count) this.#waiting.resolve()
    })
  }

  until(count: number): Promise<void> {
    if (this.heard.length >= count) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting = { count, resolve }
    })
  }
}
