import { expect, test } from 'vitest'
import { busNameFrom, randomRoom, relayUrl, roomFrom, roomLink } from './room.ts'

test.each([
  ['', 'demo'],
  ['?room=', 'demo'],
  ['?room=%20', 'demo'],
  ['?room=..', 'demo'],
  ['?room=abc&x=1', 'abc'],
  ['?room=a%20b%2Fc', 'a-b-c'],
  [`?room=${'x'.repeat(200)}`, 'x'.repeat(128)],
])('the room of %s', (query, room) => {
  expect(roomFrom(query)).toBe(room)
})

test('a new room is a valid room', () => {
  const room = randomRoom()
  expect(room).toMatch(/^[a-z]+-[a-z]+-\d{4}$/)
  expect(roomFrom(`?room=${room}`)).toBe(room)
})

test('a link leads to the room, and to the device that opens it', () => {
  expect(roomLink('http://localhost:5173/?room=a&device=b&x=1#/orders', 'b')).toBe(
    'http://localhost:5173/?room=b&x=1',
  )
})

test('without an address the relay is where the page came from', () => {
  expect(relayUrl({ protocol: 'https:', hostname: 'shop.example' })).toBe('wss://shop.example:8787')
})

test.each([
  ['', 'shop'],
  ['?room=a', 'shop'],
  ['?device=b', 'shop-b'],
  ['?device=No%20way', 'shop'],
])('the bus of %s', (query, name) => {
  expect(busNameFrom(query)).toBe(name)
})
