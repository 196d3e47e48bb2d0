/** Wires the log in memory to the part that it is in; no logic of its own. */
import { lateMemoryLog } from './log/late-memory.ts'
import type { LogSource } from './log/log.ts'
import { lazyParts } from './parts.ts'

/**
 * Keeps the log in this process; gone when the process ends.
 *
 * @example createBus({ name: 'orders', log: memoryLog() })
 */
export function memoryLog(): LogSource {
  return lateMemoryLog(lazyParts.memory, (module) => module.memoryLog())
}
