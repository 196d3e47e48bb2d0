import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isInspectorFrame, isTapFrame, Parts, partsOf } from './wire.ts'

/** Whole texts, out of all that a port brings. */
function wholes(messages: Iterable<unknown>): string[] {
  const parts = new Parts()
  return [...messages].map((message) => parts.add(message)).filter((text) => text !== undefined)
}

describe('parts of a text', () => {
  it('are put together to what they were of', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary' })),
        fc.integer({ min: 2, max: 9 }),
        (texts, length) => {
          const messages = texts.flatMap((text) => [...partsOf(text, length)])
          expect(wholes(messages)).toEqual(texts)
        },
      ),
    )
  })

  it('are never cut through a letter, and none is longer than allowed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 2, max: 9 }), (text, length) => {
        for (const part of partsOf(text, length)) {
          const piece = typeof part === 'string' ? part : (part as { more: string }).more
          expect(piece.length).toBeLessThanOrEqual(length)
          expect(piece.isWellFormed()).toBe(true)
        }
      }),
    )
  })

  it('that grow beyond all measure are dropped, and the next text is whole', () => {
    const more = 'x'.repeat(8_000_000)
    const endless = Array.from({ length: 9 }, () => ({ more }))
    expect(wholes([...endless, 'end', 'next'])).toEqual(['next'])
  })

  it('do not mind what is none', () => {
    expect(wholes([null, undefined, 7, {}, { more: 7 }, [], 'text'])).toEqual(['text'])
  })
})

describe('a frame is told by its name', () => {
  const tap = ['hello', 'batch', 'bye', 'answer', 'mismatch']
  const inspector = ['attach', 'grant', 'detach', 'ask']

  it.each(tap)('%s is a tap’s', (frame) => {
    expect(isTapFrame(JSON.stringify({ inspect: 2, frame }))).toBe(true)
    expect(isInspectorFrame(JSON.stringify({ inspect: 2, frame }))).toBe(false)
  })

  it.each(inspector)('%s is an inspector’s', (frame) => {
    expect(isInspectorFrame(JSON.stringify({ inspect: 2, frame }))).toBe(true)
    expect(isTapFrame(JSON.stringify({ inspect: 2, frame }))).toBe(false)
  })

  it('however it is written', () => {
    expect(isTapFrame('{ "peer": "a", "frame" : "hello" }')).toBe(true)
    expect(isInspectorFrame(JSON.stringify({ to: 'a', frame: 'ask' }))).toBe(true)
  })

  it.each([
    '',
    'hello',
    'null',
    '7',
    '[]',
    '{}',
    '{"frame":"constructor"}',
    '{"frame":["hello"]}',
    '{"inspect":2,"frame":"relay"}',
    '{"inspect":2,"data":{"frame":"hello"}}',
  ])('%s is nobody’s', (text) => {
    expect(isTapFrame(text)).toBe(false)
    expect(isInspectorFrame(text)).toBe(false)
  })

  it.each([undefined, null, 7, {}, { frame: 'hello' }, ['hello']])('%j is no frame', (message) => {
    expect(isTapFrame(message)).toBe(false)
    expect(isInspectorFrame(message)).toBe(false)
  })
})
