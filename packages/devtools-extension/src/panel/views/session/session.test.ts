import { describe, expect, it, vi } from 'vitest'
import { fileSource } from '../../../sources/file.ts'
import type { EventRow, Hub, NoteRow, Session } from '../../model/model.ts'
import type { Panel } from '../view.ts'
import { dismissImport, importFiles, importOf } from './importer.ts'
import { countOf, eventsOf, fileName, marksOf } from './rows.ts'

const list = Array.from({ length: 6 }, (_, row) =>
  row % 3 === 2
    ? ({ row, kind: 'mark', ms: row, text: `mark ${row}`, severity: 'info' } as NoteRow)
    : ({ row, kind: 'event', id: `a-${row}` } as EventRow),
)
const session = {
  rows: { first: 0, next: 6, at: (row: number) => list[row] },
  event: (id: string) => list.find((row) => row.kind === 'event' && row.id === id),
} as unknown as Session
const filtered = { length: 2, at: (i: number) => list[i + 3] }

describe('what is exported', () => {
  const selected = { ids: new Set(['a-4', 'a-0']) }

  it('is everything, what the filter shows, or what is selected', () => {
    expect(eventsOf('all', filtered, selected)).toBeUndefined()
    expect(eventsOf('shown', filtered, selected)).toEqual(['a-3', 'a-4'])
    expect(eventsOf('selected', filtered, selected)).toEqual(['a-4', 'a-0'])
    expect(countOf('all', session, filtered, selected)).toBe(6)
    expect(countOf('shown', session, filtered, selected)).toBe(2)
  })

  it('is called by its time', () => {
    expect(fileName(new Date(2026, 6, 8, 9, 5, 7))).toBe('crosstown-2026-07-08-090507.ndjson')
  })

  it('has marks, of which the newest come first', () => {
    expect(marksOf(session, 5).map(({ text }) => text)).toEqual(['mark 5', 'mark 2'])
    expect(marksOf(session, 1)).toHaveLength(1)
  })
})

describe('a file that is opened', () => {
  const panelWith = () => ({
    open: vi.fn(),
    say: vi.fn(),
    env: { openFile: fileSource } as unknown as Panel['env'],
  })
  const head = { crosstown: 'session', version: 1, at: 0, label: 'a session' }
  const file = (...lines: (object | string)[]) =>
    new File(
      [lines.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n')],
      'a.ndjson',
    )

  it('becomes a source', async () => {
    const hub = {} as Hub
    const panel = panelWith()
    await importFiles(hub, panel, [file(head)])
    expect(panel.open).toHaveBeenCalledOnce()
    expect(panel.say).toHaveBeenCalledWith('Opened a.ndjson')
    expect(importOf(hub).get()).toEqual({ is: 'idle' })
  })

  it('is refused with the line that is wrong, and nothing after it is opened', async () => {
    const hub = {} as Hub
    const panel = panelWith()
    await importFiles(hub, panel, [file(head, '{ "frame": '), file(head)])
    expect(panel.open).not.toHaveBeenCalled()
    expect(importOf(hub).get()).toMatchObject({
      is: 'failed',
      name: 'a.ndjson',
      words: expect.stringMatching(/^Line 2: /),
    })
    dismissImport(hub)
    expect(importOf(hub).get()).toEqual({ is: 'idle' })
  })
})
