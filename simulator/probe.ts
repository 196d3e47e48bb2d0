// Once all faults are gone and all is at rest: whether everyone still hears everyone, live. Most of what
// the checks look at is in a log in the end; of a context without one there is nothing else to see.
import { PRISTINE } from './place.ts'
import type { Stage } from './stage.ts'

/** In which a socket that fell silent is found out, and what went into it is sent again. */
const PATIENCE_MS = 240_000

/** Each context publishes an event for the room; gives sentences about who did not hear it. */
export async function probe({ network, connected }: Stage): Promise<string[]> {
  const states = new Map<string, string>()
  for (const { bus, instance } of connected) {
    const key = `the probe of ${instance.name}`
    states.set(key, 'pending')
    const data = { key, persist: true, mark: PRISTINE }
    bus.publish('fact.stated', data, { until: 'relayed' }).then(
      () => states.set(key, 'relayed'),
      (error) => states.set(key, `rejected: ${String(error)}`),
    )
  }
  const wrong = (): string[] => [
    ...[...states].flatMap(([key, state]) => (state === 'relayed' ? [] : [`${key} is ${state}`])),
    ...connected.flatMap(({ instance: { name, live } }) => {
      const heard = new Set(live.map(({ key }) => key))
      return [...states.keys()]
        .filter((key) => !heard.has(key))
        .map((key) => `${name} did not hear ${key}`)
    }),
  ]
  const isOver = (): boolean => ![...states.values()].includes('pending') && wrong().length === 0
  await network.until(isOver, PATIENCE_MS).catch(() => {})
  return wrong().map((what) => `when all is well, everyone hears everyone: ${what}`)
}
