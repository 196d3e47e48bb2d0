import { describe, expect, test } from 'vitest'
import type { LogState, RoomState } from '../log/log.ts'
import { type Point, stands } from './point.ts'

const cut = { record: 3, epoch: 'E', place: 2 }
const point: Point = {
  through: 7,
  rest: 8,
  device: 'd',
  confirmed: 5,
  cuts: [cut],
  position: 'E.9.x',
}

function state(room: Partial<RoomState>, { device = 'd', head = 7 } = {}): LogState {
  return {
    logId: 'l',
    device: { id: device, secret: 's' },
    head: { batch: head, time: 1 },
    first: 1,
    room: {
      older: [],
      liveAfter: 0,
      confirmed: { batch: 5, id: 'a-5' },
      cuts: [cut],
      gaps: [],
      terms: [],
      term: 0,
      pending: 0,
      pendingBytes: 0,
      ...room,
    },
  }
}

describe('what was folded', () => {
  test.each<[string, LogState]>([
    ['nothing happened', state({})],
    ['more came', state({ confirmed: { batch: 9, id: 'a-9' } }, { head: 12 })],
    ['the room lost what came behind it', state({ cuts: [cut, { ...cut, record: 7, place: 9 }] })],
    ['an older room was lost before it', state({ cuts: [cut, { ...cut, epoch: 'D', place: 0 }] })],
  ])('stands where %s', (_, now) => {
    expect(stands(point, now)).toBe(true)
  })

  test.each<[string, LogState]>([
    ['the room lost a part of it', state({ cuts: [cut, { ...cut, record: 7, place: 8 }] })],
    ['the room was made anew', state({ cuts: [cut, { ...cut, record: 7, place: 0 }] })],
    ['the device became another one', state({}, { device: 'e' })],
    ['the room has less of this device', state({ confirmed: { batch: 4, id: 'a-4' } })],
    ['the log has less', state({}, { head: 6 })],
  ])('does not where %s', (_, now) => {
    expect(stands(point, now)).toBe(false)
  })
})
