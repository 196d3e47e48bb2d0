import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { endAll, node, type Program, relay } from '../processes.ts'

const till = (...place: readonly string[]): Program =>
  node('demo/examples/memory-to-relay/main.ts', ...place)

const folders: string[] = []
afterEach(async () => {
  await endAll()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

function file(): string {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-till-'))
  folders.push(folder)
  return join(folder, 'till.db')
}

test('in memory: the sum is there while the process is', async () => {
  const first = till('memory')
  first.write('350')
  first.write('50')
  await first.line(/^sold for 400$/)
  expect(await first.finish()).toBe(0)
  await till('memory').line(/^sold for 0$/)
})

test('on a device: the next process goes on from the log, however the last one ended', async () => {
  const place = file()
  const first = till('device', place)
  first.write('350')
  await first.line(/^sold for 350$/)
  await first.kill()
  const second = till('device', place)
  await second.line(/^sold for 350$/)
  second.write('50')
  await second.line(/^sold for 400$/)
  expect(await second.finish()).toBe(0)
})

test('in a room: every till has the sum of all, also one that comes later', async () => {
  const { url } = await relay()
  const [one, two] = [till('room', url, 'shop'), till('room', url, 'shop')]
  one.write('350')
  two.write('50')
  await Promise.all([one.line(/^sold for 400$/), two.line(/^sold for 400$/)])
  await till('room', url, 'shop').line(/^sold for 400$/)
})
