import { expect, test } from './fixtures.ts'

declare global {
  /** What a page heard, and the codes of what it reported. */
  var notes: { heard: unknown[]; codes: string[] }
}

test('foreign messages on the channel of a running app are refused by name, and the tabs hear each other as before', async ({
  context,
  site,
}) => {
  const [one, two, stranger] = [
    await context.newPage(),
    await context.newPage(),
    await context.newPage(),
  ]
  await one.goto(`${site}/?name=one`)
  await two.goto(`${site}/?name=two`)
  for (const page of [one, two]) {
    await page.evaluate(() => {
      globalThis.notes = { heard: [], codes: [] }
      peer.subscribe('note.made', (event) => notes.heard.push(event.data))
      const seen = new Set<unknown>()
      peer.status.subscribe(({ lastError }) => {
        if (lastError && !seen.has(lastError)) notes.codes.push(lastError.code)
        seen.add(lastError)
      })
    })
  }
  await one.evaluate(() => peer.publish('note.made', 1))
  await two.evaluate(() => peer.publish('note.made', 2))

  // Another script of the origin, without a bus of its own.
  await stranger.route('**/peer.js*', (route) => route.fulfill({ body: '' }))
  await stranger.goto(`${site}/?name=stranger`)
  const posted = await stranger.evaluate(async () => {
    const channel = new BroadcastChannel('crosstown:talk:')
    // The others are answered when somebody joins: so the stranger learns the id of their log.
    const log = await new Promise<string>((resolve) => {
      channel.onmessage = ({ data }) => {
        const text = (data as { data?: unknown } | null)?.data
        if (typeof text === 'string') resolve(JSON.parse(text.split('\n')[0] as string).log)
      }
      channel.postMessage({ time: 0, type: 'message', data: '{"frame":"join","log":"x"}' })
    })
    const own = { id: 'x-1', type: 'note.made', source: 'x', time: 1 }
    const texts: string[] = [
      '',
      'hello?',
      '[]',
      '{"frame":"__proto__","log":"x"}',
      JSON.stringify({ frame: 'batch', log: 7, prefix: 'x', prev: 0, events: [own] }),
      JSON.stringify({ frame: 'batch', log, prefix: 'x', prev: 0, events: [own] }),
      JSON.stringify({ frame: 'batch', log, prefix: 'x', prev: 0, events: [{ ...own, id: '' }] }),
      `${JSON.stringify({ frame: 'cast', log, events: [{ ...own, time: 1e300 }] })}\n1`,
      JSON.stringify({ frame: 'committed', log, prefix: 'x', batch: 2 ** 60 }),
      JSON.stringify({ frame: 'room', log, batch: 1, runs: [null] }),
      `{"frame":"join","log":"x","more":"${'x'.repeat(5 * 1024 * 1024)}"}`,
    ]
    for (const text of texts) channel.postMessage({ time: 0, type: 'message', data: text })
    const cycle: unknown[] = []
    cycle.push(cycle)
    for (const value of [
      null,
      undefined,
      7n,
      'text',
      new Date(Number.NaN),
      new Map([['type', 'message']]),
      new Uint8Array(9),
      new Error('x'),
      cycle,
      { type: 'message' },
      { type: 'internal', data: {} },
      { type: '__proto__' },
      { type: 'message', data: { length: 1 } },
      { type: 'message', time: {}, data: ['x'] },
    ]) {
      channel.postMessage(value)
    }
    return texts.length
  })
  await one.evaluate(() => peer.publish('note.made', 3))
  await two.evaluate(() => peer.publish('note.made', 4))
  for (const page of [one, two]) {
    await expect.poll(() => page.evaluate(() => notes.heard)).toEqual([1, 2, 3, 4])
    const codes = await page.evaluate(() => notes.codes)
    expect(codes).toHaveLength(posted)
    expect(new Set(codes)).toEqual(new Set(['bad_frame', 'too_large']))
  }
  // Nothing of it was kept.
  const kept = await one.evaluate(async () => {
    const kept: unknown[] = []
    for await (const event of peer.events('**', { from: 'start' })) {
      kept.push(event.data)
      if (kept.length === 4) break
    }
    return kept
  })
  expect(kept).toEqual([1, 2, 3, 4])
})
