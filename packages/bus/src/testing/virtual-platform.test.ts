import { expect, test } from 'vitest'
import { VirtualPlatform } from './virtual-platform.ts'

test('timers run in the order in which they fall due, each at its own time', () => {
  const platform = new VirtualPlatform()
  const start = platform.now()
  const ran: [string, number, number][] = []
  const note = (name: string) => () => {
    ran.push([name, platform.monotonic(), platform.now() - start])
  }
  platform.timer(20, note('second'))
  platform.timer(10, () => {
    note('first')()
    platform.timer(5, note('made by the first'))
  })
  platform.timer(20, note('third'))
  platform.timer(31, note('not yet'))
  platform.timer(1, note('cancelled'))()
  platform.advance(30)
  expect(ran).toEqual([
    ['first', 10, 10],
    ['made by the first', 15, 15],
    ['second', 20, 20],
    ['third', 20, 20],
  ])
  expect(platform.timers).toBe(1)
  expect(platform.monotonic()).toBe(30)
})

test('the wall clock can be set back, the other one goes on', () => {
  const platform = new VirtualPlatform()
  platform.advance(10)
  platform.wall = 5
  platform.advance(10)
  expect(platform.now()).toBe(15)
  expect(platform.monotonic()).toBe(20)
})

test('the same seed gives the same texts, another one others', () => {
  const texts = (seed: number) => {
    const platform = new VirtualPlatform({ seed })
    return [platform.randomText(12), platform.randomText(12), platform.random()]
  }
  expect(texts(7)).toEqual(texts(7))
  expect(texts(7)).not.toEqual(texts(8))
  expect(texts(7)[0]).not.toBe(texts(7)[1])
  expect(texts(7)[0]).toMatch(/^[a-z0-9]{12}$/)
})

test('a page hears what happens to it until it stops listening; a server is not seen', () => {
  const { lifecycle } = new VirtualPlatform({ kind: 'page' })
  const heard: unknown[] = []
  const off = lifecycle.on((change, persisted) =>
    heard.push([change, persisted, lifecycle.visibility()]),
  )
  lifecycle.change('hidden')
  lifecycle.change('pagehide', true)
  lifecycle.change('visible')
  off()
  lifecycle.change('freeze')
  expect(heard).toEqual([
    ['hidden', false, 'hidden'],
    ['pagehide', true, 'hidden'],
    ['visible', false, 'visible'],
  ])
  expect(lifecycle.listeners).toBe(0)
  expect(new VirtualPlatform().lifecycle.visibility()).toBe('none')
})
