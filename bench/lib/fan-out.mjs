// Many who hear one room, and some who publish to it.
import { dataOf, TYPE } from '../pages/events.mjs'

export const times = (count, make) => Array.from({ length: count }, (_, i) => make(i))

/** Waits for what many sockets hear. */
export class Count {
  #missing = 0
  #done

  until(count) {
    this.#missing = count
    return new Promise((resolve) => {
      this.#done = resolve
    })
  }

  add = (count) => {
    this.#missing -= count
    if (this.#missing === 0) this.#done?.()
  }
}

/** Each bus publishes so many, as fast as the relay takes them. */
export const publishAll = (buses, each, underWay) =>
  Promise.all(
    buses.map(async (bus) => {
      for (let n = 0; n < each; n += underWay) {
        const published = times(underWay, (i) =>
          bus.publish(TYPE, dataOf(n + i), { until: 'relayed' }),
        )
        await Promise.all(published)
      }
    }),
  )
