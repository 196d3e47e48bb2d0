// The events that benchmarks publish: a little over 200 bytes as JSON with their header.

export const TYPE = 'cart.item_added'

/** Numbered, so that what arrives can be checked. */
export const dataOf = (n) => ({
  n,
  sku: `sku-${n % 100}`,
  quantity: n % 7,
  price: 19.99,
  tags: ['fresh', 'offer'],
  note: 'leave it at the door',
})

/** What a peer without headers is given: the same event as a plain object. */
export function eventOf(n, stream) {
  const event = {
    id: `kJ2x90aQpLm3-${n + 1}`,
    type: TYPE,
    source: 'page',
    time: Date.now(),
    data: dataOf(n),
  }
  if (stream !== undefined) event.stream = stream
  return event
}

/** Counts what arrives, and remembers the first that was out of order. */
export class Arrivals {
  count = 0
  wrong = undefined

  take(n) {
    if (n !== this.count && this.wrong === undefined) {
      this.wrong = `number ${n} came where ${this.count} was due`
    }
    this.count += 1
  }

  /** @throws unless exactly `expected` came, in order */
  check(expected) {
    if (this.wrong !== undefined) throw new Error(this.wrong)
    if (this.count !== expected) throw new Error(`${this.count} of ${expected} arrived`)
  }
}
