// One run: a scenario from its first task to its last check.
import { createTestNetwork, type TestNetwork } from '@crosstown/bus/testing'
import { simulatedRelay } from '@crosstown/edge-relay/testing'
import { CHECKS } from './checks/checks.ts'
import { deviceView, viewOf } from './checks/view.ts'
import { isOver } from './ledger.ts'
import { probe } from './probe.ts'
import type { Scenario } from './scenario.ts'
import { Stage } from './stage.ts'

export interface Outcome {
  /** What does not hold, most telling first; empty where all does. */
  readonly violations: readonly string[]
  /** Nobody can say whether what clients were told is right: too many of them never heard. */
  readonly undecided: boolean
  /** The same for the same run. */
  readonly hash: number
  readonly steps: number
  readonly publications: number
}

/** Virtual milliseconds after which a run that has not settled never will. */
const SETTLE_MS = 600_000
const SLICE_MS = 10_000
const REST_MS = 60_000
/** In which dead sockets are noticed, and who crashed last is forgotten. */
const LONG_REST_MS = 240_000
/** Tasks that no run needs to come to rest. */
const MAX_STEPS = 100_000
const CLOSE_MS = 30_000
/** In which the relay finds out who is not there any more. */
const LEAVE_MS = 400_000

/** What was thrown or rejected in the run under way, and nobody took; see `simulate.ts`. */
export const unhandled: unknown[] = []

/** `secret.*` is not for the room. */
const auth = (token = 'nobody') => ({
  subject: token,
  rights: { publish: ['fact.**'], subscribe: ['**'] },
})

type Trace = (at: number, label: string, detail: string) => void

export async function run(scenario: Scenario, trace?: Trace): Promise<Outcome> {
  unhandled.length = 0
  try {
    return await play(scenario, trace)
  } catch (error) {
    // Errors that nobody takes are collected, and this one would be as if all were well.
    return {
      violations: [`it broke off: ${String(error)}`],
      undecided: true,
      hash: 0,
      steps: 0,
      publications: 0,
    }
  }
}

async function play(scenario: Scenario, trace?: Trace): Promise<Outcome> {
  const relayErrors: string[] = []
  const network = createTestNetwork({
    seed: scenario.seed,
    relay: simulatedRelay({
      auth,
      ...(scenario.kept !== undefined && { limits: { roomEvents: scenario.kept } }),
      onError: (error) => relayErrors.push(String(error)),
    }),
    ...(scenario.nodes !== undefined && { nodes: scenario.nodes }),
    ...(trace && { trace }),
  })
  const stage = new Stage(network, scenario)
  const { ledger } = stage
  for (const action of scenario.actions)
    network.after(action.at, () => stage.act(action), action.do)
  const violations: string[] = []
  await network.run((scenario.actions.at(-1)?.at ?? 0) + 1)
  network.heal()
  await stage.rest()
  // Every other run ends while there may be sockets that nobody took for dead yet.
  const { rested = scenario.seed % 2 === 0, probed = false } = scenario
  const restMs = rested ? LONG_REST_MS : REST_MS
  const settled =
    (await settle(network, restMs)) && (!(await stage.readmit()) || (await settle(network, restMs)))
  await stage.groups?.rest(stage.open)
  await stage.durable?.rest(stage.open, async (device) => {
    return (await deviceView(device, stage.partial, network.relay.joined)).events
  })
  const view = await viewOf(stage, rested)
  for (const { name, find } of CHECKS) {
    for (const found of find(view)) violations.push(`${name}: ${found}`)
  }
  if (!settled) violations.push('the network did not settle')
  // What is wrong already needs no probe, which would only wait for it.
  if (probed && violations.length === 0) violations.push(...(await probe(stage)))
  // What goes into a socket that fell silent, and was not found out yet, is waited for.
  if (stage.requests && violations.length === 0 && (rested || !stage.silent))
    violations.push(...(await stage.requests.probe(stage.connected)))
  violations.push(...ledger.violations)
  violations.push(...(await end(stage)))
  violations.push(...unhandled.map((error) => `an error was not handled: ${String(error)}`))
  return {
    violations,
    undecided: view.history.faults() === undefined,
    hash: network.hash,
    steps: network.steps,
    publications: ledger.publications.length,
  }
}

/** Whether all came to rest, and stayed there until every beat and timer had its turn. */
async function settle(network: TestNetwork, restMs: number): Promise<boolean> {
  const end = network.now + SETTLE_MS
  const steps = network.steps + MAX_STEPS
  while (network.now < end && network.steps < steps) {
    if (!(await network.settle(SLICE_MS))) continue
    await network.run(restMs)
    // What waited for a host, or for a turn, may have come meanwhile, and not be everywhere yet.
    if (await network.settle(1)) return true
  }
  return false
}

/** Closes everything; what is left then is a leak. */
async function end(stage: Stage): Promise<string[]> {
  const { network, ledger } = stage
  const left: string[] = []
  const open = network.devices.flatMap(({ contexts }) => contexts)
  try {
    await network.until(
      Promise.all(open.flatMap(({ buses }) => buses.map((bus) => bus.close()))),
      CLOSE_MS,
    )
    await network.run(LEAVE_MS)
    // Nodes of one relay say that they are there for as long as they are.
    if (network.relay.nodes > 1) {
      await network.until(network.relay.close())
      await network.run(REST_MS)
    }
  } catch (error) {
    left.push(`buses do not close: ${String(error)}`)
  }
  for (const instance of ledger.instances) {
    const { name, context } = instance
    if (isOver(instance)) continue
    for (const [what, count] of Object.entries(context.holdings)) {
      if (count !== 0) left.push(`${name} still has ${count} ${what} after it was closed`)
    }
  }
  for (const { name, channels, locks } of network.devices) {
    if (channels.size > 0) left.push(`${name} still has ${channels.size} channels`)
    if (locks.size > 0) left.push(`${name} still has ${locks.size} locks`)
  }
  const { sockets, timers } = network.relay
  if (sockets > 0) left.push(`the relay still has ${sockets} sockets`)
  if (timers > 0) left.push(`the relay still has ${timers} timers`)
  for (const { key, state, by } of ledger.publications) {
    if (state === 'pending' && !isOver(by)) left.push(`${key} of ${by.name} is pending after close`)
  }
  return left
}
