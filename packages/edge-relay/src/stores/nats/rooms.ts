/** The rooms this relay has in memory: those asked for last. */
import type { Bodies } from './bodies.ts'
import { Room } from './room.ts'

const MOST_ROOMS = 1_000
/** In parts of some hundred bytes. */
const MOST_WEIGHT = 2_000_000

export class Rooms {
  readonly #bodies: Bodies
  readonly #node: string
  readonly #rooms = new Map<string, Room>()
  #ids = 0

  constructor(bodies: Bodies, node: string) {
    this.#bodies = bodies
    this.#node = node
  }

  get(name: string): Room {
    const known = this.#rooms.get(name)
    const newId = (): string => `${this.#node}-${++this.#ids}`
    const room = known ?? new Room(name, this.#bodies, newId)
    this.#rooms.delete(name)
    this.#rooms.set(name, room)
    if (!known) this.#forget(room)
    return room
  }

  /** None of them may be what it was: see {@link Room.doubt}. */
  doubt(): void {
    for (const room of this.#rooms.values()) room.doubt()
  }

  #forget(newest: Room): void {
    let weight = 0
    for (const room of this.#rooms.values()) weight += room.weight
    for (const [name, room] of this.#rooms) {
      if (this.#rooms.size <= MOST_ROOMS && weight <= MOST_WEIGHT) return
      if (room === newest || room.isUsed) continue
      this.#rooms.delete(name)
      weight -= room.weight
    }
  }
}
