/** What every link between peers must do. */
import type { Link } from '../links/link.ts'
import { must, mustEqual, type Runner } from './suite.ts'

export interface LinkContractOptions {
  /** Opens one end on a channel; ends on the same channel hear each other. */
  open(channel: string): Link | Promise<Link>
}

/**
 * @example
 * import { describe, it } from 'vitest'
 * linkContract('my link', { describe, it }, { open: (channel) => new MyLink(channel) })
 */
export function linkContract(
  name: string,
  { describe, it }: Runner,
  { open }: LinkContractOptions,
): void {
  let channels = 0
  const ends = async (count: number): Promise<End[]> => {
    const channel = `contract-${name}-${++channels}-${count}`
    return Promise.all(Array.from({ length: count }, async () => new End(await open(channel))))
  }
  const test = (title: string, count: number, body: (ends: End[]) => Promise<void>): void => {
    it(title, async () => {
      const opened = await ends(count)
      try {
        await body(opened)
      } finally {
        await Promise.all(opened.map((end) => end.link.close()))
      }
    })
  }

  describe(`link contract: ${name}`, () => {
    test('a text reaches every other end, both ways', 3, async ([a, b, c]) => {
      a?.link.send('from a')
      await Promise.all([b?.until(1), c?.until(1)])
      b?.link.send('from b')
      await Promise.all([a?.until(1), c?.until(2)])
      mustEqual(
        [a?.heard, b?.heard, c?.heard],
        [['from b'], ['from a'], ['from a', 'from b']],
        'each hears the others',
      )
    })

    test('nobody hears itself', 2, async ([a, b]) => {
      a?.link.send('one')
      b?.link.send('two')
      await Promise.all([a?.until(1), b?.until(1)])
      mustEqual([a?.heard, b?.heard], [['two'], ['one']], 'only the other text arrives')
    })

    test('texts of one sender arrive whole and in order', 2, async ([a, b]) => {
      const texts = Array.from({ length: 500 }, (_, i) => `${i}\n${'x'.repeat(i % 50)}`)
      for (const text of texts) a?.link.send(text)
      await b?.until(texts.length)
      mustEqual(b?.heard, texts, 'all of them, in order')
    })

    test('any text comes out as it went in', 2, async ([a, b]) => {
      const texts = ['', '\n', '\u0000', '🙂 漢字 é', '{"frame":"x"}\n[1]', 'y'.repeat(1024 * 1024)]
      for (const text of texts) a?.link.send(text)
      await b?.until(texts.length)
      must(
        texts.every((text, i) => b?.heard[i] === text),
        'newlines, NUL, other planes and a mebibyte',
      )
    })

    test('after close nothing is heard, and sending is no error', 3, async ([a, b, c]) => {
      await b?.link.close()
      a?.link.send('after')
      await c?.until(1)
      mustEqual(b?.heard, [], 'a closed end hears nothing')
      b?.link.send('from the closed')
      a?.link.send('last')
      await c?.until(2)
      mustEqual(c?.heard, ['after', 'last'], 'and is not heard')
    })

    test('close can be called twice', 1, async ([a]) => {
      await a?.link.close()
      await a?.link.close()
    })
  })
}

class End {
  readonly link: Link
  readonly heard: string[] = []
  #waiting: { count: number; resolve: () => void } | undefined

  constructor(link: Link) {
    this.link = link
    link.receive((text) => {
      this.heard.push(text)
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
