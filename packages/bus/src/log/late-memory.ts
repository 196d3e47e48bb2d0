/** A log in memory, loaded when it is opened. */
import type { Part } from '../part.ts'
import type { LogSource } from './log.ts'

export function lateMemoryLog<Module>(
  part: Part<Module>,
  sourceOf: (module: Module) => LogSource,
): LogSource {
  let source: LogSource | undefined
  return {
    kind: 'memory',
    required: true,
    available: () => true,
    load: async () => {
      source ??= sourceOf(part.now ?? (await part.load()))
    },
    create(...given) {
      source ??= sourceOf(part.now as Module)
      return source.create(...given)
    },
  }
}
