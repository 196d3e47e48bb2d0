import { expect, test } from 'vitest'
import {
  BUS_ERROR_CODES,
  BusError,
  type BusErrorCode,
  codeOfClose,
  isBusError,
  isErrorCode,
  isRetryable,
  toBusError,
} from './errors.ts'

const codes = Object.keys(BUS_ERROR_CODES) as BusErrorCode[]

test('every code has a close number of its own', () => {
  expect(new Set(Object.values(BUS_ERROR_CODES)).size).toBe(codes.length)
})

test('close numbers lie in the two ranges of the protocol', () => {
  for (const code of codes) {
    expect(BUS_ERROR_CODES[code], code).toBeGreaterThanOrEqual(3000)
    expect(BUS_ERROR_CODES[code], code).toBeLessThan(4000)
  }
})

test.each(codes)('%s comes back from its close number', (code) => {
  expect(codeOfClose(BUS_ERROR_CODES[code])).toBe(code)
})

test.each([1000, 1006, 2999, 3499, 3999, 4000, Number.NaN])(
  '%d is no close number of ours',
  (n) => {
    expect(codeOfClose(n)).toBeUndefined()
  },
)

test.each([
  ['going_away', true],
  ['buffer_overflow', true],
  ['bad_frame', false],
  ['not_found', false],
] as const)('%s may be tried again: %s', (code, retryable) => {
  expect(isRetryable(code)).toBe(retryable)
  expect(new BusError(code, 'x').retryable).toBe(retryable)
})

test('an error carries what is known of it and nothing else', () => {
  const bare = new BusError('closed', 'gone')
  expect({ ...bare }).toEqual({ name: 'BusError', code: 'closed', retryable: false })
  expect('cause' in bare).toBe(false)
  const cause = new Error('inner')
  const details = { stage: 'log', eventType: 'a.b', eventId: 'p-1', path: 'data.x', cause } as const
  expect(new BusError('log_failed', 'no', details)).toMatchObject({ ...details, message: 'no' })
})

test('an error of another copy of the package is recognised by its name', () => {
  const foreign = Object.assign(new Error('x'), { name: 'BusError', code: 'closed' })
  expect(isBusError(foreign)).toBe(true)
  expect(isBusError(foreign, 'closed')).toBe(true)
  expect(isBusError(foreign, 'aborted')).toBe(false)
})

test.each(['toString', 'constructor', 'nonsense', 3000, undefined])(
  'an error with code %s is none of ours',
  (code) => {
    expect(isBusError(Object.assign(new Error('x'), { name: 'BusError', code }))).toBe(false)
    expect(isErrorCode(code)).toBe(false)
  },
)

test('a plain error and a plain object are none of ours', () => {
  expect(isBusError(new Error('x'))).toBe(false)
  expect(isBusError({ name: 'BusError', code: 'closed' })).toBe(false)
})

test('toBusError keeps an error of ours and wraps anything else', () => {
  const own = new BusError('closed', 'x')
  expect(toBusError(own, 'log_failed', 'y')).toBe(own)
  const wrapped = toBusError('text', 'log_failed', 'y', { stage: 'log' })
  expect(wrapped).toMatchObject({ code: 'log_failed', message: 'y', stage: 'log', cause: 'text' })
})
