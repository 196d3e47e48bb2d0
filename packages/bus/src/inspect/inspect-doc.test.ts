import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readInspectorFrame } from './checks.ts'
import { isTapFrame } from './frames.ts'
import { LIBRARY } from './peer.ts'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const doc = read('../../../../docs/inspect.md')
const code = read('./frames.ts')

/** First cells of the table under a heading. */
function rowsUnder(heading: string): string[] {
  const section = doc.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name as string)
}

/** All texts that a field has in the types. */
function named(field: string): string[] {
  const found = [...code.matchAll(new RegExp(`readonly ${field}: '(\\w+)'`, 'g'))]
  return [...new Set(found.map(([, name]) => name as string))]
}

describe('docs/inspect.md', () => {
  it('has every kind of record, and no other', () => {
    expect(rowsUnder('Records').slice(1)).toEqual(named('is'))
  })

  it('has every question, and no other', () => {
    expect(rowsUnder('Questions').slice(1)).toEqual(named('what'))
  })

  it('has frames that are frames', () => {
    const frames = [...doc.matchAll(/^```json\n(.*)\n```$/gm)].map(([, frame]) => frame as string)
    expect(frames.length).toBeGreaterThan(5)
    for (const frame of frames) {
      const text = JSON.stringify(JSON.parse(frame))
      const isFrame = isTapFrame(text) || typeof readInspectorFrame(text) === 'object'
      expect([frame, isFrame]).toEqual([frame, true])
    }
  })
})

it('a tap says the version of the package', () => {
  expect(LIBRARY).toBe(JSON.parse(read('../../package.json')).version)
})
