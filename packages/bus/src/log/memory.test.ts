import { describe, it } from 'vitest'
import { runtimePlatform } from '../platform.ts'
import { logContract } from '../testing/log-contract.ts'
import type { Log } from './log.ts'
import { MemoryLog, processMemoryLog } from './memory.ts'
import { MemoryRows } from './memory-rows.ts'

const platform = runtimePlatform()
const rowsOf = new Map<Log, MemoryRows>()
const over = (rows: MemoryRows): Log => {
  const log = new MemoryLog(platform, rows)
  rowsOf.set(log, rows)
  return log
}
const again = (log: Log): Log => over(rowsOf.get(log) as MemoryRows)
logContract(
  'memory',
  { describe, it },
  { create: () => over(new MemoryRows(platform)), reopen: again, share: again },
)

let names = 0
const nameOf = new Map<Log, string>()
const shared = (name: string): Log => {
  const log = processMemoryLog().create(name, '', platform)
  nameOf.set(log, name)
  return log
}
logContract(
  'memory, shared in a process',
  { describe, it },
  {
    create: () => shared(`log-${++names}`),
    share: (log) => shared(nameOf.get(log) as string),
  },
)
