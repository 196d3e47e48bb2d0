import { describe, expect, test } from 'vitest'
import { commandOf, KEYS } from './keys.ts'

describe('single keys', () => {
  test('are commands in the grid', () => {
    expect(commandOf({ key: 'j' }, 'grid')).toBe('down')
    expect(commandOf({ key: 'G', shiftKey: true }, 'grid')).toBe('tail')
    expect(commandOf({ key: ' ' }, 'grid')).toBe('pause')
    expect(commandOf({ key: 'F10', shiftKey: true }, 'grid')).toBe('menu')
    expect(commandOf({ key: '?', shiftKey: true }, 'grid')).toBe('help')
    expect(commandOf({ key: '3' }, 'grid')).toBe('view-3')
  })

  test('are what they are where somebody types', () => {
    for (const { keys, where } of KEYS)
      for (const key of keys)
        if (where !== 'always' && !key.startsWith('Ctrl+'))
          expect(commandOf({ key }, 'field'), key).toBeUndefined()
    expect(commandOf({ key: '3' }, 'field')).toBeUndefined()
  })

  test('of rows do nothing in a view without rows, of the panel they do', () => {
    expect(commandOf({ key: 'j' }, 'view')).toBeUndefined()
    expect(commandOf({ key: 'r' }, 'view')).toBe('record')
    expect(commandOf({ key: 'r' }, 'elsewhere')).toBeUndefined()
  })
})

test('with Ctrl or Cmd they work from everywhere', () => {
  expect(commandOf({ key: 'f', ctrlKey: true }, 'field')).toBe('filter')
  expect(commandOf({ key: 'K', metaKey: true, shiftKey: true }, 'elsewhere')).toBe('clear')
  expect(commandOf({ key: 'Escape' }, 'field')).toBe('back')
})

test('keys of the browser are left to it', () => {
  expect(commandOf({ key: 'c', ctrlKey: true }, 'grid')).toBeUndefined()
  expect(commandOf({ key: '[', ctrlKey: true }, 'grid')).toBeUndefined()
  expect(commandOf({ key: 'ArrowDown', altKey: true }, 'grid')).toBeUndefined()
})

test('no key has two commands', () => {
  const keys = KEYS.flatMap((line) => line.keys)
  expect(new Set(keys).size).toBe(keys.length)
})
