import { expect, test } from 'vitest'
import { openSessionFile, SessionFileError } from '../../sources/file.ts'
import { type ExportOptions, exportSession } from './file.ts'
import { createHub } from './hub.ts'
import type { Hub, Row, Session } from './model.ts'
import { makeCapture } from './testing/capture.ts'
import { captureSources } from './testing/capture-source.ts'

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve))
}

async function captured(events: number) {
  const capture = makeCapture({ events, seed: 5 })
  const sources = captureSources(capture)
  const hub = createHub(sources)
  await until(
    () =>
      sources.every(({ done }) => done) && [...capture.ids].every((id) => hub.session.event(id)),
  )
  hub.drain()
  return { hub, capture }
}

/** The lines of the file, each with its end. */
async function written(hub: Hub, options: ExportOptions = {}): Promise<string[]> {
  const file = await exportSession(hub, options)
  return (await file.text()).split(/(?<=\n)/)
}

async function opened(lines: readonly string[]) {
  const file = await openSessionFile(new Blob([...lines]))
  const hub = createHub([file])
  await until(() => hub.session.sources[0]!.detail !== undefined)
  hub.drain()
  return { hub, file }
}

/** What of a row does not depend on the clock of the panel that shows it. */
function shown(row: Row | undefined): unknown {
  if (row?.kind !== 'event') return row
  const { ms: _, latency: __, ...rest } = row
  return rest
}

test('a session that was written down and opened again has the same rows, steps and peers', async () => {
  const { hub, capture } = await captured(600)
  const lines = await written(hub)
  const again = await opened(lines)
  const [before, after] = [hub.session, again.hub.session]
  expect(after.malformed).toEqual({ count: 0, reasons: [] })
  expect(after.rows.next).toBe(before.rows.next)
  for (let row = 0; row < before.rows.next; row++)
    expect(shown(after.rows.at(row))).toEqual(shown(before.rows.at(row)))
  for (const id of capture.ids) {
    const steps = (session: Session) =>
      session
        .steps(id)
        .map(({ ms: _, ...step }) => JSON.stringify(step))
        .sort()
    expect(steps(after)).toEqual(steps(before))
  }
  const peers = (session: Session) =>
    [...session.peers.values()].map(({ name, device, lost, firstAt, missed, subscriptions }) => ({
      name,
      device,
      lost,
      firstAt,
      missed,
      subscriptions: [...subscriptions.values()],
    }))
  expect(peers(after)).toEqual(peers(before))
})

test('what taps sent is a file as it came, and what came before it is not called lost', async () => {
  const [hello, batch] = (await written((await captured(20)).hub))
    .map((text) => JSON.parse(text) as { frame?: string; peer?: string; records?: unknown[] })
    .filter(({ frame }, _, all) => frame === all[1]?.frame || frame === 'batch')
    .filter(({ peer }, _, all) => peer === all.find(({ frame }) => frame === 'batch')?.peer)
  const head = { crosstown: 'session', version: 1, at: 0, label: 'taps' }
  const lines = [head, { ...hello, next: 140, oldest: 118 }, { ...batch, first: 118 }]
  const { hub } = await opened(lines.map((one) => `${JSON.stringify(one)}\n`))
  const { rows } = hub.session
  const kinds = Array.from({ length: rows.next }, (_, at) => rows.at(at)).map((row) => row?.kind)
  expect(kinds).toContain('event')
  expect(kinds).not.toContain('lost')
})

test('a part of a session is written with what happened to it only', async () => {
  const { hub, capture } = await captured(300)
  const events = capture.ids.slice(100, 110)
  const again = await opened(await written(hub, { events }))
  const rows = again.hub.session.rows
  expect(rows.next - rows.first).toBe(10)
  for (const id of events) {
    expect(again.hub.session.event(id)).toBeDefined()
    expect(again.hub.session.steps(id).length).toBe(hub.session.steps(id).length)
  }
})

test('data is written where it is asked for, and given when the file is open', async () => {
  const { hub, capture } = await captured(50)
  const [id] = capture.ids
  const { publisher } = hub.session.event(id!)!
  const lines = await written(hub, { events: [id!], payloads: true })
  const again = await opened(lines)
  const tree = await again.hub.ask(publisher, { what: 'payload', event: id! })
  expect(tree.type).toBe('object')
  const child = await again.hub.ask(publisher, { what: 'payload', event: id!, path: ['sku'] })
  expect(child.type).toBe('string')
  await expect(
    again.hub.ask(publisher, { what: 'payload', event: capture.ids[1]! }),
  ).rejects.toMatchObject({ code: 'not_found' })
})

test('some events are written by their ids, as one file', async () => {
  const { hub, capture } = await captured(50)
  const told: number[] = []
  const file = await exportSession(hub, {
    events: capture.ids.slice(0, 5),
    label: 'five',
    onProgress: (done, of) => told.push(done / of),
  })
  const { head, lines } = await openSessionFile(file)
  expect(head).toMatchObject({ label: 'five', version: 1 })
  expect(lines).toBeGreaterThan(5)
  expect(told.at(-1)).toBe(1)
  const stop = new AbortController()
  stop.abort()
  await expect(exportSession(hub, { payloads: true, signal: stop.signal })).rejects.toThrow()
})

test('a damaged file is refused with its line, and nothing of it is shown', async () => {
  const { hub } = await captured(50)
  const lines = await written(hub)
  const refused = async (damaged: readonly string[]) => {
    const error = await openSessionFile(new Blob([...damaged])).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(error).toBeInstanceOf(SessionFileError)
    return error as SessionFileError
  }
  expect((await refused([])).message).toBe('The file is empty.')
  expect((await refused(['{"some":"json"}\n'])).message).toBe(
    'Line 1: this is not a session file of Crosstown.',
  )
  const newer = lines[0]!.replace('"version":1', '"version":7')
  expect((await refused([newer, ...lines.slice(1)])).message).toMatch(
    /^Line 1: the file has version 7/,
  )
  const last = lines.length - 1
  const cut = await refused([...lines.slice(0, last), lines[last]!.slice(0, 40)])
  expect(cut).toMatchObject({ line: lines.length, message: `Line ${lines.length}: is not JSON.` })
  const batch = lines.findIndex((line) => line.includes('"frame":"batch"'))
  const wrong = lines.with(batch, lines[batch]!.replace('"at":', '"at":"x","was":'))
  expect(await refused(wrong)).toMatchObject({ line: batch + 1 })
  const stranger = lines.with(batch, lines[batch]!.replace(/"peer":"[^"]+"/, '"peer":"nobody"'))
  expect((await refused(stranger)).message).toMatch(/was not introduced by a hello before/)
})

test('a session that is open still takes its own file without counting anything twice', async () => {
  const { hub, capture } = await captured(100)
  const lines = await written(hub)
  const steps = capture.ids.map((id) => hub.session.steps(id).length)
  const events = () => [...hub.session.types.values()].reduce((sum, count) => sum + count, 0)
  expect(events()).toBe(100)
  hub.add(await openSessionFile(new Blob([...lines])))
  await until(() => hub.session.sources.at(-1)!.detail !== undefined)
  hub.drain()
  expect(events()).toBe(100)
  expect(capture.ids.map((id) => hub.session.steps(id).length)).toEqual(steps)
})

test('a cleared session takes its own file again', async () => {
  const { hub, capture } = await captured(100)
  const lines = await written(hub)
  const steps = capture.ids.map((id) => hub.session.steps(id).length)
  hub.clear()
  expect(hub.session.rows.first).toBe(hub.session.rows.next)
  hub.add(await openSessionFile(new Blob([...lines])))
  await until(() => hub.session.sources.at(-1)!.detail !== undefined)
  hub.drain()
  expect(capture.ids.map((id) => hub.session.steps(id).length)).toEqual(steps)
})

test('a large file is read piece by piece, and says how far it is', async () => {
  const head = '{"crosstown":"session","version":1,"at":0,"label":"ä"}\n'
  // Two bytes a letter: pieces end within some of them.
  const line = `${JSON.stringify({ frame: 'mark', at: 1, text: 'ü'.repeat(200) })}\n`
  const told: number[] = []
  const file = await openSessionFile(new Blob([head, ...Array(8_000).fill(line)]), {
    onProgress: (share) => told.push(share),
  })
  expect(file.lines).toBe(8_001)
  expect(file.head.label).toBe('ä')
  expect(told.length).toBeGreaterThan(2)
  expect(told).toEqual([...told].sort((a, b) => a - b))
  expect(told.at(-1)).toBe(1)
  const broken = new Blob([head, ...Array(8_000).fill(line), new Uint8Array([0xff, 0xfe, 0x0a])])
  await expect(openSessionFile(broken)).rejects.toThrow(/^Line \d+: This is not UTF-8 text/)
})
