// All devices of a relay come back at once, because it was started anew.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startRelay } from '../lib/processes.mjs'
import { StormDevices } from '../lib/storm.mjs'
import { dataOf, TYPE } from '../pages/events.mjs'

const DEVICES = 2_000
const MISSED = 300
const ROUNDS = 3

export const about = {
  title: 'A storm',
  text: `${DEVICES.toLocaleString('en')} devices of one room, kept in SQLite, whose relay is asked to end and started again at once: it tells them to come back in half a second, and over as many milliseconds as they are. Meanwhile ${MISSED} events were published, which each of them gets. The event loop is that of the relay; its longest stall is seen by a timer in it.`,
}

export async function run(bench) {
  const storms = []
  for (let round = 0; round < ROUNDS; round++) storms.push(await storm())
  const measured = (of) => {
    const values = storms.map(of)
    return { rounds: ROUNDS, warmups: 0, unit: 'ms', measure: () => values.shift() }
  }
  await bench.budget({
    work: `${DEVICES.toLocaleString('en')} devices come back`,
    how: 'from the signal to the relay until the last of them is welcome and has all',
    budget: { atMost: 5_000 },
    ...measured(({ allMs }) => allMs),
  })
  await bench.budget({
    work: 'a device of them is welcome, p50',
    how: 'from when it dials to its welcome',
    budget: { atMost: 50 },
    ...measured(({ waits }) => waits[Math.floor(waits.length * 0.5)]),
  })
  await bench.budget({
    work: 'a device of them is welcome, p99',
    how: 'from when it dials to its welcome',
    budget: { atMost: 500 },
    ...measured(({ waits }) => waits[Math.floor(waits.length * 0.99)]),
  })
  await bench.budget({
    work: 'the longest stall of the event loop while they come',
    how: 'by a timer in the relay',
    budget: { atMost: 200 },
    ...measured(({ stallMs }) => stallMs),
  })
}

async function storm() {
  const folder = await mkdtemp(join(tmpdir(), 'crosstown-bench-'))
  const store = `sqlite:${join(folder, 'events.db')}`
  let relay = await startRelay(store)
  const { url } = relay
  const devices = new StormDevices(url, DEVICES)
  try {
    await publish(url, 1)
    devices.dial()
    await devices.joined(1)
    const began = performance.now()
    await relay.stop()
    relay = await startRelay(store, new URL(url).port)
    await relay.cost('stall')
    await publish(url, MISSED)
    await devices.joined(1 + MISSED)
    const allMs = performance.now() - began
    const { stallMs } = await relay.cost('stall')
    return { allMs, stallMs, waits: devices.times().waits }
  } finally {
    devices.close()
    await relay.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function publish(url, count) {
  const events = Array.from({ length: count }, (_, n) => ({ type: TYPE, data: dataOf(n) }))
  const answer = await fetch(`${url.replace('ws', 'http')}/rooms/room/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  })
  if (answer.status !== 201) throw new Error(`the relay answers ${answer.status}`)
}
