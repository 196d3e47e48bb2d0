import { describe, it } from 'vitest'
import { runtimePlatform } from '../platform.ts'
import { linkContract } from '../testing/link-contract.ts'
import type { Link } from './link.ts'
import { memoryLink } from './memory.ts'
import { tabsLink } from './tabs.ts'

const platform = runtimePlatform()
const memory = memoryLink()
linkContract(
  'memory',
  { describe, it },
  { open: (channel) => memory.open(channel, platform) as Link },
)
linkContract(
  'tabs within a process',
  { describe, it },
  {
    open: (channel) => tabsLink().open(channel, platform) as Link,
  },
)
