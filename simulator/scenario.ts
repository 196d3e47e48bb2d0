// What happens in a run, and when: made from a seed and a profile.
import type { Action } from './actions.ts'
import { PROFILES, type ProfileName, ROTATION, TROUBLES } from './profiles.ts'
import { Scene } from './scene.ts'

export interface Scenario {
  readonly seed: number
  readonly profile: ProfileName
  /** Devices that read only some types of the room. */
  readonly partial: readonly number[]
  /** Events that each log keeps, about. @default all */
  readonly logEvents?: number
  /** Events that the relay keeps of its room, about. @default all */
  readonly kept?: number
  /** Whether each context has views of the room. @default false */
  readonly views?: boolean
  /** Whether each context is a member of some groups. @default false */
  readonly groups?: boolean
  /** Whether each context with a log has durable consumers. @default false */
  readonly durable?: boolean
  /** Whether each context responds to requests. @default false */
  readonly requests?: boolean
  /** Nodes of the relay, on one store. @default 1 */
  readonly nodes?: number
  /** Whether it ends only when sockets that fell silent were found out. @default by the seed */
  readonly rested?: boolean
  /** Whether each context publishes once more when all is well: which also wakes what sleeps. @default false */
  readonly probed?: boolean
  /** In order of time. */
  readonly actions: readonly Action[]
}

export function makeScenario(seed: number, profile: ProfileName): Scenario {
  const scene = new Scene(seed, profile === 'guests')
  for (let device = 0; device < scene.devices; device++) {
    for (let slot = 0; slot < (scene.slots[device] as number); slot++) {
      const late = scene.random.chance(0.2)
      scene.open(late ? scene.time() : scene.random.between(0, 100), { device, slot })
    }
  }
  scene.work()
  const nodes = profile === 'relays' ? 2 + scene.random.below(2) : 1
  scene.nodes = nodes
  // Runs of several relays are about streams, groups, or requests, or none of them.
  const about =
    profile === 'relays'
      ? scene.random.pick(['streams', 'puts', 'groups', 'requests', 'events'] as const)
      : profile
  if (about === 'puts') scene.puts()
  if (about === 'requests') scene.asks()
  if (about === 'streams' || about === 'groups' || about === 'durable') scene.streams()
  // What groups did, and what clients were told, is held against a room that loses nothing.
  const troubles = PROFILES[profile].filter(
    (name) => (about !== 'groups' && about !== 'puts') || name !== 'restore',
  )
  const many = troubles.length === 0 ? 0 : 1 + scene.random.below(6)
  for (let i = 0; i < many; i++) TROUBLES[scene.random.pick(troubles)]?.(scene)
  const partial = scene.random.chance(0.3) ? [scene.device()] : []
  const limits = {
    ...(profile === 'trimmed' && { kept: 10 + scene.random.below(40) }),
    // Where logs are trimmed as well, a room that is restored does not get all again.
    ...(profile === 'trimmed' &&
      scene.random.chance(0.5) && { logEvents: 5 + scene.random.below(40) }),
    ...(profile === 'full' && { logEvents: 20 + scene.random.below(60) }),
  }
  scene.posts()
  // Seeds take turns with the profiles, so that their lowest bits say no more than the profile does.
  const turn = Math.floor(seed / ROTATION.length)
  return {
    seed,
    profile,
    rested: turn % 2 === 0,
    probed: turn % 4 < 2,
    partial,
    ...(profile === 'views' && { views: true }),
    ...(nodes > 1 && { nodes }),
    ...(about === 'groups' && { groups: true }),
    ...(profile === 'durable' && { durable: true }),
    ...(about === 'requests' && { requests: true }),
    ...limits,
    actions: scene.actions.sort((a, b) => a.at - b.at),
  }
}
