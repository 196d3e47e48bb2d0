import { describe, expect, it } from 'vitest'
import type { Hub } from '../../model/model.ts'
import {
  BLANK_FAULT,
  endExpired,
  faultInWords,
  faultOf,
  faultsOf,
  setFault,
} from './fault-state.ts'

describe('a fault', () => {
  it('is what the form says, and nothing that does not apply', () => {
    expect(faultOf(BLANK_FAULT)).toEqual({ link: 'relay', do: 'cut', forMs: 30_000 })
    expect(
      faultOf({
        ...BLANK_FAULT,
        do: 'delay',
        link: 'tabs',
        percent: '50',
        patterns: 'cart.*, order.**',
        delayMs: '250',
      }),
    ).toEqual({
      link: 'tabs',
      do: 'delay',
      forMs: 30_000,
      patterns: ['cart.*', 'order.**'],
      delayMs: 250,
      share: 0.5,
    })
  })

  it('is refused in words', () => {
    expect(faultOf({ ...BLANK_FAULT, do: 'drop', percent: '0' })).toHaveProperty('wrong')
    expect(faultOf({ ...BLANK_FAULT, do: 'delay', delayMs: 'x' })).toHaveProperty('wrong')
    expect(faultOf({ ...BLANK_FAULT, do: 'drop', patterns: 'a..b' })).toEqual({
      wrong: '“a..b” is not a pattern.',
    })
  })

  it('says what it does', () => {
    const forMs = 1
    expect(faultInWords({ link: 'relay', do: 'cut', forMs })).toBe('is cut off from the relay')
    expect(
      faultInWords({ link: 'tabs', do: 'drop', share: 0.5, patterns: ['cart.*'], forMs }),
    ).toBe(
      'loses 50 % of what has events of cart.* between it and the other contexts of its device',
    )
    expect(faultInWords({ link: 'relay', do: 'delay', delayMs: 250, forMs })).toBe(
      'delays everything between it and the relay by 250 ms',
    )
  })

  it('is known while it is in force, and forgotten when it ends by itself', async () => {
    const fault = { link: 'relay', do: 'cut', forMs: 1_000 } as const
    const hub = { session: { peers: new Map() }, ask: async () => ({ fault }) } as unknown as Hub
    await setFault(hub, 'a', fault)
    const { until = 0 } = faultsOf(hub).get().get('a') ?? {}
    endExpired(hub, until - 1)
    expect(faultsOf(hub).get().size).toBe(1)
    endExpired(hub, until)
    expect(faultsOf(hub).get().size).toBe(0)
  })
})
