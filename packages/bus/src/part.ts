/** Parts of the bus that most pages never use: loaded when something needs them. */
import { BusError } from './errors.ts'
import type { Platform } from './platform.ts'

/** A module that may not be there yet. */
export interface Part<Module> {
  /** The module, where it is loaded. */
  readonly now: Module | undefined
  /** Loads it, once for the whole context. @throws {BusError} unavailable, which is tried anew by the next call */
  load(): Promise<Module>
}

/** A part that is loaded by `load`. */
export function lazyPart<Module>(name: string, load: () => Promise<Module>): Part<Module> {
  let loading: Promise<Module> | undefined
  const part = {
    now: undefined as Module | undefined,
    load: () => (loading ??= begin()),
  }
  async function begin(): Promise<Module> {
    try {
      part.now = await load()
      return part.now
    } catch (cause) {
      loading = undefined
      const what = `${name} of @crosstown/bus could not be loaded: come back online, or import '@crosstown/bus/all', which has it`
      throw new BusError('unavailable', what, { cause })
    }
  }
  return part
}

/** A part that is there from the beginning. */
export function wholePart<Module>(module: Module): Part<Module> {
  return { now: module, load: () => Promise.resolve(module) }
}

/** The module, now or soon. @throws {BusError} unavailable */
export async function loaded<Module>(part: Part<Module>): Promise<Module> {
  return part.now ?? part.load()
}

/** Before a part that could not be loaded is tried again. */
const AGAIN_MS = 1_000
const MAX_AGAIN_MS = 60_000

/** Who waits for a part. */
export interface Waiter {
  readonly platform: Pick<Platform, 'timer'>
  readonly report: (error: BusError) => void
  /** Whether its bus was closed. */
  readonly ended: () => boolean
}

/**
 * Calls back with the part: at once where it is there, else when it is. What fails is told once, and
 * tried until it is there, or nobody needs it any more.
 */
export function whenLoaded<Module>(
  part: Part<Module>,
  { platform, report, ended }: Waiter,
  run: (module: Module) => void,
): void {
  if (part.now) {
    run(part.now)
    return
  }
  const load = (again: number): void => {
    if (ended()) return
    part.load().then(run, (error: BusError) => {
      if (ended()) return
      if (again === AGAIN_MS) report(error)
      platform.timer(again, () => load(Math.min(2 * again, MAX_AGAIN_MS)))
    })
  }
  load(AGAIN_MS)
}
