// What may go wrong in a run, by profile.
import type { Scene } from './scene.ts'

export type ProfileName =
  | 'calm'
  | 'offline'
  | 'relay'
  | 'crashes'
  | 'tabs'
  | 'disk'
  | 'logs'
  | 'power'
  | 'lifecycle'
  | 'restore'
  | 'trimmed'
  | 'full'
  | 'clones'
  | 'mixed'
  | 'guests'
  | 'views'
  | 'streams'
  | 'groups'
  | 'durable'
  | 'requests'
  | 'relays'

type Trouble = (scene: Scene) => void

export const TROUBLES: Readonly<Record<string, Trouble>> = {
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
  nodeCrash(scene) {
    const node = scene.node()
    const at = scene.time()
    scene.add(at, { do: scene.random.chance(0.8) ? 'relayCrash' : 'relayDrain', node })
    scene.add(at + scene.span(), { do: 'relayStart', node })
  },
  nodeCut(scene) {
    const node = scene.node()
    const at = scene.time()
    scene.add(at, { do: 'nodeCut', node, silently: scene.random.chance(0.3) })
    scene.add(at + scene.span(), { do: 'nodeMend', node })
  },
  storeCut(scene) {
    const node = scene.node()
    const at = scene.time()
    scene.add(at, { do: 'storeCut', node, silently: scene.random.chance(0.5) })
    scene.add(at + scene.span(), { do: 'storeMend', node })
  },
  signals(scene) {
    const { random } = scene
    const some = (): number => (random.chance(0.5) ? random.between(0.05, 1) : 0)
    const at = scene.time()
    scene.add(at, {
      do: 'signals',
      drop: some(),
      duplicate: some(),
      delay: Math.round(some() * 3_000),
    })
    scene.add(at + scene.span(), { do: 'signals', drop: 0, duplicate: 0, delay: 0 })
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
  clear(scene) {
    const { device, slot } = scene.slot()
    const at = scene.time()
    if (scene.random.chance(0.6)) scene.add(at, { do: 'clear', device, slot })
    else scene.add(at, { do: 'wipe', device })
  },
  user(scene) {
    const device = scene.device()
    const at = scene.time()
    const later = at + scene.span()
    scene.add(at, { do: 'user', device, user: 'bob' })
    if (scene.random.chance(0.5)) scene.add(later, { do: 'clear', device, slot: 0 })
    if (scene.random.chance(0.5)) scene.add(later, { do: 'user', device, user: 'ann' })
  },
  disconnect: (scene) => scene.add(scene.time(), { do: 'disconnect', device: scene.device() }),
  clock(scene) {
    const ms = Math.round(scene.random.between(-3_600_000, 3_600_000))
    scene.add(scene.time(), { do: 'clock', device: scene.device(), ms })
  },
  freeze(scene) {
    const where = scene.slot()
    const at = scene.time()
    if (scene.random.chance(0.5)) scene.add(at - 1, { do: 'hide', ...where })
    scene.add(at, { do: 'freeze', ...where })
    // So long that somebody takes the lead from a worker, which says nothing when it is frozen.
    const long = scene.random.chance(0.15)
    const later = at + (long ? scene.random.between(30_000, 200_000) : scene.span())
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
        type: 'fact.stated',
      })
    }
  },
}

/** What goes wrong between nodes of a relay. */
const AMONG_NODES: ReadonlySet<string> = new Set(['nodeCrash', 'nodeCut', 'storeCut', 'signals'])
/** What may go wrong where there is one node only. */
const ALONE = Object.keys(TROUBLES).filter((name) => !AMONG_NODES.has(name))

/** What may go wrong under each profile; one named twice does so twice as often. */
export const PROFILES: Readonly<Record<ProfileName, readonly (keyof typeof TROUBLES)[]>> = {
  calm: [],
  offline: ['cut', 'cut', 'drop'],
  relay: ['relayCrash', 'relayCrash', 'relayFail', 'drop', 'cut'],
  crashes: ['leave', 'leave', 'leave', 'relayCrash', 'cut'],
  tabs: ['tabs', 'tabs', 'leave', 'cut'],
  disk: ['disk', 'disk', 'clock', 'leave', 'cut'],
  power: ['power', 'power', 'disk', 'clock', 'cut'],
  logs: ['clear', 'disconnect', 'disconnect', 'disk', 'leave', 'cut', 'user', 'user'],
  lifecycle: ['freeze', 'freeze', 'cache', 'hide', 'leave', 'cut'],
  restore: ['restore', 'restore', 'wipe', 'cut', 'leave', 'user'],
  full: ['cut', 'cut', 'relayCrash', 'leave', 'tabs', 'disk'],
  trimmed: [
    'cut',
    'cut',
    'cut',
    'relayCrash',
    'leave',
    'power',
    'power',
    'clone',
    'clone',
    'restore',
  ],
  clones: ['clone', 'cut', 'leave'],
  mixed: ALONE,
  guests: [...ALONE, 'leave', 'leave', 'user', 'clear', 'cache'],
  views: [...ALONE, 'restore', 'cut', 'leave', 'leave'],
  groups: [
    'cut',
    'relayCrash',
    'relayCrash',
    'relayFail',
    'drop',
    'leave',
    'leave',
    'tabs',
    'freeze',
    'cache',
  ],
  requests: ['cut', 'drop', 'relayCrash', 'leave', 'leave', 'freeze', 'cache', 'hide', 'tabs'],
  relays: [
    'nodeCrash',
    'nodeCrash',
    'nodeCut',
    'storeCut',
    'storeCut',
    'signals',
    'signals',
    'relayFail',
    'drop',
    'drop',
    'cut',
    'leave',
    'restore',
  ],
  streams: ['cut', 'cut', 'relayCrash', 'leave', 'tabs', 'disk', 'restore', 'power', 'freeze'],
  durable: [
    'leave',
    'leave',
    'leave',
    'freeze',
    'freeze',
    'cache',
    'tabs',
    'disk',
    'disconnect',
    'power',
    'clear',
    'cut',
    'relayCrash',
  ],
}

export const PROFILE_NAMES = Object.keys(PROFILES) as ProfileName[]

/** Those that seeds take turns with; the others are run by name. */
export const ROTATION: readonly ProfileName[] = PROFILE_NAMES.filter((name) => name !== 'views')
