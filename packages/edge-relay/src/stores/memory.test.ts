import { describe, expect, it } from 'vitest'
import { storeContract } from '../testing/store-contract.ts'
import { memoryStore } from './memory.ts'

storeContract({ describe, it, expect }, 'memoryStore', async () => ({ store: memoryStore() }))

describe('memoryStore', () => {
  it('says that it is gone with the process', () => {
    expect(memoryStore().durability).toBe('memory')
  })
})
