import type { Tree } from '@crosstown/bus/inspect'
import { expect, test } from 'vitest'
import { linesOf, pathKey, pathText, type TreeState, valueAt } from './lines.ts'

const number = (value: number): Tree => ({ type: 'number', preview: String(value) })

const root: Tree = {
  type: 'object',
  preview: '{id: 7, items: […]}',
  size: 3,
  children: [
    ['id', number(7)],
    ['items', { type: 'array', preview: '[1, 2, 3]', size: 3, children: [[0, number(1)]] }],
    ['deep', { type: 'object', preview: '{…}', size: 1 }],
  ],
}

function state(open: readonly (readonly (string | number)[])[], loaded = new Map()): TreeState {
  return { open: new Set(open.map(pathKey)), loaded }
}

const names = (of: TreeState) => linesOf(root, of, 'data').map((line) => line.name || line.text)

test('what is closed is one line, what has nothing inside cannot be opened', () => {
  expect(names(state([]))).toEqual(['data'])
  const [data, id] = linesOf(root, state([[]]), 'data')
  expect(data?.open).toBe(true)
  expect(id).not.toHaveProperty('open')
})

test('what was not sent is offered: the rest of a list, and what lies deeper', () => {
  expect(names(state([[], ['items'], ['deep']]))).toEqual([
    'data',
    'id',
    'items',
    '0',
    '2 more',
    'deep',
    '1 more',
  ])
})

test('what was loaded is shown, with the end of loading or its failure', () => {
  const loaded = new Map([
    [pathKey(['items']), { state: 'loaded', children: [0, 1, 2].map((i) => [i, number(i)]) }],
    [pathKey(['deep']), { state: 'failed', children: [], message: 'the peer is gone' }],
  ])
  expect(names(state([[], ['items'], ['deep']], loaded))).toEqual([
    'data',
    'id',
    'items',
    '0',
    '1',
    '2',
    'deep',
    'the peer is gone',
  ])
})

test('keys that look alike have lines of their own', () => {
  const tree: Tree = {
    type: 'map',
    preview: '',
    size: 2,
    children: [
      ['0', number(1)],
      [0, number(2)],
    ],
  }
  const keys = linesOf(tree, state([[]]), 'data').map((line) => line.key)
  expect(new Set(keys).size).toBe(3)
})

test('a path is written as code, and leads to its value', () => {
  expect(pathText('data', ['a', 0, 'b c', 'd'])).toBe('data.a[0]["b c"].d')
  const value = {
    map: new Map<unknown, unknown>([
      ['0', 'text key'],
      [{}, 'other'],
    ]),
    set: new Set(['first']),
  }
  expect(valueAt(value, ['map', '0'])).toBe('text key')
  expect(valueAt(value, ['map', 1, 1])).toBe('other')
  expect(valueAt(value, ['set', 0])).toBe('first')
  expect(valueAt(value, ['nowhere', 'at', 'all'])).toBeUndefined()
})
