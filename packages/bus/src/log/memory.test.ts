import { describe, it } from 'vitest'
import { runtimePlatform } from '../platform.ts'
import { logContract } from '../testing/log-contract.ts'
import { MemoryLog, processMemoryLog } from './memory.ts'

const platform = runtimePlatform()
logContract('memory', { describe, it }, { create: () => new MemoryLog(platform) })

let names = 0
logContract(
  'memory, shared in a process',
  { describe, it },
  {
    create: () => processMemoryLog().create(`log-${++names}`, '', platform),
  },
)
