import { closing } from './store-contract/closing.ts'
import { deleting } from './store-contract/deleting.ts'
import type { Part, StoreCapabilities, StoreFixture, TestRunner } from './store-contract/part.ts'
import { reading } from './store-contract/reading.ts'
import { sharing } from './store-contract/sharing.ts'
import { trimming } from './store-contract/trimming.ts'
import { writing } from './store-contract/writing.ts'

export type { StoreCapabilities, StoreFixture, TestRunner }

/** By the word that docs/stores.md has for them. */
const PARTS: Readonly<Record<string, Part>> = {
  writing,
  reading,
  trimming,
  deleting,
  closing,
}

/**
 * What every store is held to, as far as it declares.
 *
 * @example
 * import { describe, expect, it } from 'vitest'
 * storeContract({ describe, it, expect }, 'memory', async () => ({ store: memoryStore() }))
 */
export function storeContract(
  { describe, expect, it }: TestRunner,
  name: string,
  open: () => Promise<StoreFixture>,
  declared: StoreCapabilities = {},
): void {
  const suite: Parameters<Part>[0] = {
    expect,
    declared,
    it: (title, run) =>
      it(title, async () => {
        const fixture = await open()
        try {
          await run(fixture.store, fixture)
        } finally {
          await fixture.store.close()
          await fixture.dispose?.()
        }
      }),
  }
  describe(`${name} keeps the store contract`, () => {
    const parts = declared.shared || declared.served ? { ...PARTS, sharing } : PARTS
    for (const [part, tests] of Object.entries(parts)) describe(part, () => tests(suite))
  })
}
