/** What a device's log in SQLite keeps of what was logged: what docs/durability.md says of `sqliteLog`. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createBus } from '@crosstown/bus'
import { sqliteLog } from '@crosstown/bus/log/sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { killRecorded, Recording, STRACE } from './power-cut.ts'

const WRITER = fileURLToPath(new URL('log-writer.ts', import.meta.url))
const EVENTS = 100

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'device-losses-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Of the events that were logged, those that are not in the log that was left. */
async function lostOf(
  durability: 'relaxed' | 'strict',
  end: 'process' | 'machine',
): Promise<number> {
  const path = join(folder, 'events.db')
  const recording = end === 'machine' ? await Recording.of(folder) : undefined
  const args = [WRITER, path, durability]
  const [command, all] = recording?.commandOf(process.execPath, args) ?? [process.execPath, args]
  const child = spawn(command, all, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  const logged: string[] = []
  for await (const id of createInterface({ input: child.stdout })) {
    logged.push(id)
    if (logged.length !== EVENTS) continue
    if (recording) killRecorded(child)
    else child.kill('SIGKILL')
  }
  await ended
  await recording?.cut()
  const bus = createBus({ name: 'writer', tabs: false, log: sqliteLog(path) })
  const kept = new Set<string>()
  for await (const { id } of bus.replay()) kept.add(id)
  await bus.close()
  return logged.filter((id) => !kept.has(id)).length
}

describe('sqliteLog', () => {
  it.each(['relaxed', 'strict'] as const)(
    '%s loses nothing when its process is killed',
    async (d) => {
      expect(await lostOf(d, 'process')).toBe(0)
    },
  )

  it.skipIf(!STRACE)('strict loses nothing when the power of its machine is cut', async () => {
    expect(await lostOf('strict', 'machine')).toBe(0)
  })

  it.skipIf(!STRACE)('relaxed loses what was not synced yet, and opens', async () => {
    expect(await lostOf('relaxed', 'machine')).toBeGreaterThan(0)
  })
})
