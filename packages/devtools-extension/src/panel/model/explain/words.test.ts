/** Sentences for what happens rarely: by frames of taps, without buses. */
import { describe, expect, it } from 'vitest'
import { explainEvent, explainSubscription, explainType, ledgerOf } from './index.ts'
import { header, type Told, told } from './testing/sessions.ts'
import { listed, siteWords } from './words.ts'

const ids = [['pub', 1, 1]] as const
const published = { at: 100, is: 'published', events: [header('pub-1')] } as const
const committed = { at: 101, is: 'committed', batch: 1, ids, ms: 1 } as const
const publisher: Told = { peer: 'pub', records: [published, committed] }

const whyAt = (session: ReturnType<typeof told>, peer: string) => {
  const entry = ledgerOf(session, 'pub-1').find((one) => one.peer === peer)
  return [entry?.outcome, entry?.why]
}

describe('an event', () => {
  it('that is not known says so', () => {
    expect(ledgerOf(told([]), 'x-1')).toEqual([])
    expect(explainEvent(told([]), 'x-1').headline).toBe(
      'Nothing is known of the event x-1: it was published before this panel listened, or was forgotten to stay within its limit.',
    )
  })

  it('of which nothing was heard where it should have come is missing', () => {
    const session = told([publisher, { peer: 'tab', subscriptions: [{}], records: [] }])
    expect(whyAt(session, 'tab')).toEqual([
      'missing',
      'The handler of order.* in tab 2 should have run, but nothing was heard of it there for 9.90 s.',
    ])
  })

  it('that was just published is on its way', () => {
    const tab: Told = { peer: 'tab', subscriptions: [{}], records: [] }
    const session = told([publisher, tab], { pass: 1_000 })
    expect(whyAt(session, 'tab')).toEqual([
      'waiting',
      'tab 1 told the other contexts of its device. It is on its way, for 900 ms.',
    ])
  })

  it('waits for a page that the browser has frozen', () => {
    const session = told([
      publisher,
      {
        peer: 'tab',
        subscriptions: [{}],
        records: [{ at: 50, is: 'life', state: 'frozen' }],
      },
    ])
    expect(whyAt(session, 'tab')[0]).toBe('waiting')
    expect(whyAt(session, 'tab')[1]).toMatch(
      /^tab 2 has been frozen by the browser since [\d:.]+: it reads the event from the log when its page is shown again\.$/,
    )
  })

  it('that could not be written came to nobody', () => {
    const session = told([
      {
        ...publisher,
        records: [published, { at: 102, is: 'dropped', ids, count: 1, why: 'withdrawn' }],
      },
      { peer: 'tab', subscriptions: [{}], records: [] },
    ])
    expect(whyAt(session, 'tab')).toEqual([
      'dropped',
      'tab 1 could not write it to its log and withdrew it: publish() rejected, and nobody got the event. Look at the errors of tab 1.',
    ])
    expect(whyAt(session, 'pub')[0]).toBe('dropped')
  })

  it('whose handler has not ended says for how long', () => {
    const session = told([
      publisher,
      {
        peer: 'tab',
        subscriptions: [{}],
        records: [
          { at: 105, is: 'received', via: 'tabs', origin: 'device', ids },
          { at: 105, is: 'matched', ids, subs: [1] },
        ],
      },
    ])
    expect(whyAt(session, 'tab')).toEqual([
      'received',
      'It came to tab 2, 5.00 ms after it was published over the channel between tabs; the handler of order.* has not ended since then, for 9.89 s. Does it wait for something?',
    ])
  })

  it('that may only wait in the queue of a handler is not said to run', () => {
    const session = told([
      publisher,
      {
        peer: 'tab',
        subscriptions: [{ concurrency: 1 }],
        records: [
          { at: 105, is: 'received', via: 'tabs', origin: 'device', ids },
          { at: 105, is: 'matched', ids, subs: [1] },
        ],
      },
    ])
    expect(whyAt(session, 'tab')?.[1]).toContain(
      'for 9.89 s. It runs, or waits for its turn: at most 1 call of it may run at once.',
    )
  })

  it('that came twice ran no handler twice', () => {
    const session = told([
      publisher,
      {
        peer: 'tab',
        subscriptions: [{}],
        records: [
          { at: 105, is: 'received', via: 'tabs', origin: 'device', ids },
          { at: 105, is: 'matched', ids, subs: [1] },
          { at: 106, is: 'handled', sub: 1, ids, ms: [1] },
          { at: 107, is: 'dropped', ids, count: 1, why: 'duplicate' },
        ],
      },
    ])
    expect(whyAt(session, 'tab')[0]).toBe('duplicate')
    expect(whyAt(session, 'tab')[1]).toContain(
      'It came once more, and was recognised by its id: no handler ran twice.',
    )
  })
})

describe('a type or a subscription', () => {
  it('that only somebody listened to who is gone says so', () => {
    const session = told([
      { peer: 'tab', subscriptions: [{}], records: [{ at: 50, is: 'unsubscribed', sub: 1 }] },
    ])
    expect(explainType(session, 'order.placed').findings.map(({ text }) => text)).toContain(
      'tab 1 subscribed to it before, and does not any more.',
    )
  })

  it('that is no type says what one is', () => {
    expect(explainType(told([]), 'order placed').headline).toBe(
      '‘order placed’ is not an event type: types are parts of letters, digits, _ and - with dots between them, as in cart.item_added.',
    )
  })

  it('for which nothing was published names what nearly was', () => {
    const session = told([
      publisher,
      { peer: 'tab', subscriptions: [{ patterns: ['order.plcaed'] }], records: [] },
    ])
    const { headline, findings } = explainSubscription(session, 'tab', 1)
    expect(headline).toBe('The handler of order.plcaed in tab 2 was never called.')
    expect(findings[0]?.text).toMatch(
      /^Nothing that order\.plcaed takes was published in the .* since this panel first heard tab 2\. Something like it was: order\.placed \(differs by one letter\)\. Is it a typo\?$/,
    )
    expect(findings[0]?.links).toEqual([{ to: 'type', id: 'order.placed', label: 'order.placed' }])
  })

  it('that nobody knows says so', () => {
    expect(explainSubscription(told([]), 'x', 1).headline).toBe(
      'The context of this subscription is not known to this panel.',
    )
  })
})

it('lists are short, and places are the end of a path', () => {
  expect(listed([])).toBe('')
  expect(listed(['a'])).toBe('a')
  expect(listed(['a', 'b', 'c'])).toBe('a, b and c')
  expect(listed(['a', 'b', 'c', 'd', 'e'])).toBe('a, b, c and 2 more')
  expect(siteWords(undefined)).toBe('')
  expect(siteWords('http://localhost:5173/src/cart.tsx?t=1:12:5')).toBe(' (src/cart.tsx:12:5)')
  expect(siteWords('cart.js:7')).toBe(' (cart.js:7)')
})
