import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
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

it('the points of the contract are those that docs/links.md lists', () => {
  const points: string[] = []
  const runner = {
    describe: (_: string, body: () => void) => body(),
    it: (title: string) => void points.push(title),
  }
  linkContract('listed', runner, { open: () => Promise.reject() })
  const text = readFileSync(new URL('../../../../docs/links.md', import.meta.url), 'utf8')
  const listed = [...text.matchAll(/^\d+\. (.*)$/gm)].map(([, point]) => point)
  expect(listed).toEqual(points)
})
