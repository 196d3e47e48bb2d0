// What happens in a run, and when: made from a seed and a profile, readable, and valid with any of
// its actions left out.
import { Random } from '@crosstown/bus/testing'

export type ProfileName =
  | 'calm'
  | 'offline'
  | 'relay'
  | 'crashes'
  | 'tabs'
  | 'storage'
  | 'lifecycle'
  | 'restore'
  | 'clones'
  | 'mixed'

/** A context: the slot of a device it lives in. */
export interface Slot {
  readonly device: number
  readonly slot: number
}

export type Work =
  | (Slot & {
      readonly do: 'publish'
      readonly count: number
      readonly scope: 'context' | 'device' | 'room'
      readonly persist: boolean
      readonly until: 'accepted' | 'logged' | 'relayed' | 'handled'
      /** All in one `publishBatch`. */
      readonly together: boolean
      /** Others answer it, so that it becomes a cause. */
      readonly ask: boolean
    })
  | (Slot & { readonly do: 'open'; readonly kind: 'page' | 'worker' | 'service-worker' })

export type Fault =
  | (Slot & { readonly do: 'crash' | 'reload' | 'close' | 'freeze' | 'thaw' })
  | (Slot & { readonly do: 'hide' | 'show' | 'cache' | 'uncache' })
  | { readonly do: 'cut'; readonly device: number; readonly silently: boolean }
  | { readonly do: 'mend' | 'drop' | 'calmTabs' | 'calmDisk'; readonly device: number }
  | {
      readonly do: 'tabs'
      readonly device: number
      readonly drop: number
      readonly duplicate: number
      readonly delay: number
    }
  | {
      readonly do: 'disk'
      readonly device: number
      readonly slowness: number
      readonly abort: number
      readonly quota: number
    }
  | { readonly do: 'power'; readonly device: number; readonly lost: number }
  | { readonly do: 'clock'; readonly device: number; readonly ms: number }
  | { readonly do: 'clone'; readonly device: number; readonly to: number }
  | { readonly do: 'relayCrash' | 'relayStart' | 'relayDrain' | 'relayWipe' }
  | { readonly do: 'relayRestore'; readonly lost: number }
  | { readonly do: 'relayFail'; readonly probability: number }

export type Action = { readonly at: number } & (Work | Fault)

export interface Scenario {
  readonly seed: number
  readonly profile: ProfileName
  /** In order of time. */
  readonly actions: readonly Action[]
}

/** How long there is work and trouble, in virtual milliseconds. */
const DURATION_MS = 12_000

type Trouble = (scene: Scene) => void

class Scene {
  readonly random: Random
  readonly actions: Action[] = []
  readonly devices: number
  readonly slots: number[]

  constructor(seed: number) {
    this.random = new Random(seed)
    this.devices = 1 + this.random.below(3)
    this.slots = Array.from({ length: this.devices }, () => 1 + this.random.below(3))
  }

  add(at: number, what: Work | Fault): void {
    this.actions.push({ at: Math.round(at), ...what })
  }

  time(): number {
    return this.random.between(200, DURATION_MS)
  }

  /** How long something goes on: mostly short, sometimes most of the run. */
  span(): number {
    return this.random.chance(0.3) ? this.random.between(1_000, 8_000) : this.random.between(5, 900)
  }

  device(): number {
    return this.random.below(this.devices)
  }

  slot(): Slot {
    const device = this.device()
    return { device, slot: this.random.below(this.slots[device] as number) }
  }

  kind(slot: number): 'page' | 'worker' | 'service-worker' {
    if (slot === 0 || this.random.chance(0.7)) return 'page'
    return this.random.chance(0.7) ? 'worker' : 'service-worker'
  }

  open(at: number, where: Slot): void {
    this.add(at, { do: 'open', ...where, kind: this.kind(where.slot) })
  }

  work(): void {
    const { random } = this
    const publishes = 4 + random.below(16)
    for (let i = 0; i < publishes; i++) {
      const scope = random.chance(0.8) ? 'room' : random.pick(['device', 'context'] as const)
      const persist = scope !== 'context' && random.chance(0.92)
      const levels = !persist
        ? (['accepted'] as const)
        : scope === 'room'
          ? (['logged', 'logged', 'relayed', 'handled', 'accepted'] as const)
          : (['logged', 'handled'] as const)
      this.add(this.time(), {
        do: 'publish',
        ...this.slot(),
        count: random.chance(0.1) ? 1 + random.below(60) : 1 + random.below(4),
        scope,
        persist,
        until: random.pick(levels),
        together: persist && random.chance(0.15),
        ask: persist && random.chance(0.2),
      })
    }
  }
}

const TROUBLES: Readonly<Record<string, Trouble>> = {
  cut(scene) {
    const device = scene.device()
    const at = scene.time()
    scene.add(at, { do: 'cut', device, silently: scene.random.chance(0.3) })
    scene.add(at + scene.span(), { do: 'mend', device })
  },
  drop: (scene) => scene.add(scene.time(), { do: 'drop', device: scene.device() }),
  relayCrash(scene) {
    const at = scene.time()
    scene.add(at, { do: scene.random.chance(0.8) ? 'relayCrash' : 'relayDrain' })
    scene.add(at + scene.span(), { do: 'relayStart' })
  },
  relayFail(scene) {
    const at = scene.time()
    scene.add(at, { do: 'relayFail', probability: scene.random.between(0.1, 0.7) })
    scene.add(at + scene.span(), { do: 'relayFail', probability: 0 })
  },
  leave(scene) {
    const where = scene.slot()
    const at = scene.time()
    scene.add(at, { do: scene.random.pick(['crash', 'reload', 'close'] as const), ...where })
    if (scene.random.chance(0.9)) scene.open(at + scene.span(), where)
  },
  tabs(scene) {
    const device = scene.device()
    const at = scene.time()
    const some = (): number => (scene.random.chance(0.5) ? scene.random.between(0.05, 0.6) : 0)
    scene.add(at, { do: 'tabs', device, drop: some(), duplicate: some(), delay: some() })
    scene.add(at + scene.span(), { do: 'calmTabs', device })
  },
  disk(scene) {
    const { random } = scene
    const device = scene.device()
    const at = scene.time()
    const faults = random.pick([
      { slowness: random.between(5, 200), abort: 0, quota: 0 },
      { slowness: 1, abort: random.between(0.1, 0.9), quota: 0 },
      { slowness: 1, abort: 0, quota: random.between(0.1, 1) },
    ])
    scene.add(at, { do: 'disk', device, ...faults })
    scene.add(at + scene.span(), { do: 'calmDisk', device })
  },
  power(scene) {
    const device = scene.device()
    const at = scene.time()
    scene.add(at, { do: 'power', device, lost: scene.random.below(12) })
    const later = at + scene.span()
    for (let slot = 0; slot < (scene.slots[device] as number); slot++) {
      scene.open(later + scene.random.between(0, 300), { device, slot })
    }
  },
  clock(scene) {
    const ms = Math.round(scene.random.between(-3_600_000, 3_600_000))
    scene.add(scene.time(), { do: 'clock', device: scene.device(), ms })
  },
  freeze(scene) {
    const where = scene.slot()
    const at = scene.time()
    if (scene.random.chance(0.5)) scene.add(at - 1, { do: 'hide', ...where })
    scene.add(at, { do: 'freeze', ...where })
    const later = at + scene.span()
    scene.add(later, { do: 'thaw', ...where })
    scene.add(later + 1, { do: 'show', ...where })
  },
  cache(scene) {
    const where = scene.slot()
    const at = scene.time()
    scene.add(at, { do: 'cache', ...where })
    scene.add(at + scene.span(), { do: 'uncache', ...where })
  },
  hide(scene) {
    const where = scene.slot()
    const at = scene.time()
    scene.add(at, { do: 'hide', ...where })
    scene.add(at + scene.span(), { do: 'show', ...where })
  },
  restore(scene) {
    const at = scene.time()
    scene.add(at, { do: 'relayRestore', lost: 1 + scene.random.below(20) })
    scene.add(at + scene.span(), { do: 'relayStart' })
  },
  wipe(scene) {
    const at = scene.time()
    scene.add(at, { do: 'relayWipe' })
    scene.add(at + scene.span(), { do: 'relayStart' })
  },
  clone(scene) {
    const at = scene.time()
    const to = scene.devices + scene.random.below(2)
    scene.add(at, { do: 'clone', device: scene.device(), to })
    for (let slot = 0; slot < 2; slot++) scene.open(at + scene.span(), { device: to, slot })
    for (let i = 0; i < 3; i++) {
      scene.add(at + scene.span(), {
        do: 'publish',
        device: to,
        slot: 0,
        count: 2,
        scope: 'room',
        persist: true,
        until: 'logged',
        together: false,
        ask: false,
      })
    }
  },
}

/** What may go wrong under each profile; one named twice does so twice as often. */
export const PROFILES: Readonly<Record<ProfileName, readonly (keyof typeof TROUBLES)[]>> = {
  calm: [],
  offline: ['cut', 'cut', 'drop'],
  relay: ['relayCrash', 'relayCrash', 'relayFail', 'drop', 'cut'],
  crashes: ['leave', 'leave', 'leave', 'relayCrash', 'cut'],
  tabs: ['tabs', 'tabs', 'leave', 'cut'],
  storage: ['disk', 'disk', 'power', 'clock', 'leave'],
  lifecycle: ['freeze', 'freeze', 'cache', 'hide', 'leave', 'cut'],
  restore: ['restore', 'restore', 'wipe', 'cut', 'leave'],
  clones: ['clone', 'cut', 'leave'],
  mixed: Object.keys(TROUBLES),
}

export const PROFILE_NAMES = Object.keys(PROFILES) as ProfileName[]

export function makeScenario(seed: number, profile: ProfileName): Scenario {
  const scene = new Scene(seed)
  for (let device = 0; device < scene.devices; device++) {
    for (let slot = 0; slot < (scene.slots[device] as number); slot++) {
      const late = scene.random.chance(0.2)
      scene.open(late ? scene.time() : scene.random.between(0, 100), { device, slot })
    }
  }
  scene.work()
  const troubles = PROFILES[profile]
  const many = troubles.length === 0 ? 0 : 1 + scene.random.below(6)
  for (let i = 0; i < many; i++) TROUBLES[scene.random.pick(troubles)]?.(scene)
  return { seed, profile, actions: scene.actions.sort((a, b) => a.at - b.at) }
}

/** An action as one line. */
export function lineOf({ at, ...action }: Action): string {
  const { do: name, ...rest } = action
  const details = Object.entries(rest).map(([key, value]) => `${key}=${String(value)}`)
  return `${String(at).padStart(6)} ms  ${name} ${details.join(' ')}`.trimEnd()
}
