/** A bus of which nothing has to be loaded, so that a simulated clock knows all that it waits for. */
import type { Accepted } from '../batch/pipeline.ts'
import { createBusOn as createOn } from '../bus.ts'
import type { AnyBusOptions } from '../options.ts'
import { allParts } from '../parts/all.ts'
import type { Platform } from '../platform.ts'
import type { Bus } from '../types.ts'

export function createBusOn(
  options: AnyBusOptions,
  platform: Platform,
  accepted?: Accepted,
): Bus<Record<string, unknown>> {
  return createOn(options, platform, accepted, allParts)
}
