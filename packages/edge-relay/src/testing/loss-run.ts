/**
 * What an engine loses in one of its settings: five publishers post to a relay, the engine ends under them,
 * and what it has afterwards is held against what they were told is kept. Publishers of HTTP have no log:
 * what is lost here stays lost, whereas a device would send its own again.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EngineServer } from './engine-servers.ts'
import type { End, Setting } from './losses.ts'
import { Recording } from './power-cut.ts'
import { readRoom } from './read-room.ts'
import { type RelayProcessHandle, ROOM } from './relay-handle.ts'
import { RUNTIMES } from './relay-process.ts'

const PUBLISHERS = 5

/** How long they publish: until both are reached. */
export interface Load {
  readonly events: number
  readonly ms: number
}

/** What became of one run. */
export interface LossReport {
  /** What the relay said that it does with what it confirms: `disk` or `memory`. */
  readonly says: string
  readonly confirmed: number
  /** Confirmed events that are gone. */
  readonly lost: number
  /** Milliseconds between the first of these that was confirmed and the last event that was. */
  readonly withinMs: number
  /** Whether the engine started again on what it had left. */
  readonly starts: boolean
}

/** @throws where the relay or its engine does not start */
export async function lossRun(setting: Setting, end: End, load: Load): Promise<LossReport> {
  const folder = await mkdtemp(join(tmpdir(), 'crosstown-loss-'))
  const recorded = end === 'machine'
  let server: EngineServer | undefined
  let relay: RelayProcessHandle | undefined
  let recording: Recording | undefined
  try {
    server = await setting.start?.({
      recorded,
      ...(setting.settings && { settings: setting.settings }),
    })
    const place = server ? server.url : join(folder, 'events.db')
    const store = server
      ? `${place}${setting.store}`
      : setting.store.endsWith(':')
        ? `${setting.store}${place}`
        : setting.store
    recording = recorded && !server ? await Recording.of(folder) : undefined
    relay = await startRelay(store, recording)
    const says = await durabilityOf(relay)
    const told = await publish(relay.url, load, async () => {
      if (!server || recorded) await relay?.end('SIGKILL')
      await (recorded ? server?.cutPower() : server?.kill())
    })
    await relay.end('SIGKILL')
    await recording?.cut()
    const starts = await restarted(server)
    const kept = new Set<string>()
    if (starts) {
      relay = await startRelay(store)
      for (const { said } of await readRoom(relay.url)) kept.add(said.text)
    }
    const lost = [...told].filter(([name]) => !kept.has(name))
    const [, firstMs = 0] = lost[0] ?? []
    const withinMs = lost.length > 0 ? Math.max(...told.values()) - firstMs : 0
    return { says, confirmed: told.size, lost: lost.length, withinMs, starts }
  } finally {
    await relay?.end('SIGKILL')
    await server?.stop()
    await recording?.forget()
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function startRelay(store: string, recording?: Recording): Promise<RelayProcessHandle> {
  const [node] = RUNTIMES
  if (!node?.start) throw new Error('there is no Node here')
  return node.start({ args: ['--store', store], recording })
}

/** Whether there is one that does. */
async function restarted(server: EngineServer | undefined): Promise<boolean> {
  try {
    await server?.restart()
    return true
  } catch {
    // It finds its files damaged.
    return false
  }
}

async function durabilityOf({ url }: RelayProcessHandle): Promise<string> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  return /^crosstown_build_info\{.*durability="(\w+)"/m.exec(metrics)?.[1] ?? ''
}

/**
 * Publishes until the load is reached and `end` has ended the engine under it. What was confirmed, with when
 * in milliseconds, in that order.
 */
async function publish(
  url: string,
  load: Load,
  end: () => Promise<void>,
): Promise<ReadonlyMap<string, number>> {
  const confirmed = new Map<string, number>()
  const beganMs = performance.now()
  let ended = false
  let reached = (): void => {}
  const enough = new Promise<void>((resolve) => {
    reached = resolve
  })
  const publishers = Array.from({ length: PUBLISHERS }, async (_, by) => {
    for (let n = 0; !ended; n++) {
      const text = `${by}-${n}`
      if (await isConfirmed(url, text)) confirmed.set(text, performance.now())
      if (confirmed.size >= load.events && performance.now() - beganMs >= load.ms) reached()
    }
  })
  await Promise.race([enough, Promise.all(publishers)])
  await end()
  ended = true
  await Promise.all(publishers)
  return confirmed
}

async function isConfirmed(url: string, text: string): Promise<boolean> {
  const body = JSON.stringify({ type: 'load.said', data: { by: 'http', n: 0, text } })
  try {
    const response = await fetch(`${url}/rooms/${ROOM}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    await response.arrayBuffer()
    return response.ok
  } catch {
    // The relay ended with its machine.
    await new Promise((resolve) => setTimeout(resolve, 10))
    return false
  }
}
