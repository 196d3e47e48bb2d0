// Rows: two sides measured by turns, round after round; budgets, which only we have; and growths,
// which say what more of something costs.
import { summarize, summarizeBudget, summarizePoint } from './stats.mjs'
import { renderBudget, renderCurves, renderRow } from './table.mjs'

/**
 * @typedef {object} Comparison
 * @property {string} work what is done
 * @property {string} against the peer, and what it does
 * @property {'events/s' | 'per CPU s' | 'ms' | 'kB'} unit of what both sides return
 * @property {{ atLeast: number } | { atMost: number }} goal of ours divided by the peer's
 * @property {() => number | Promise<number>} ours measures one round. It MUST throw when the work
 *   was not done in full.
 * @property {() => number | Promise<number>} peer the same
 * @property {number} [rounds] that count
 * @property {number} [warmups] rounds before, which do not
 */

/**
 * @typedef {object} Budget
 * @property {string} work what is done
 * @property {string} how it is measured: from what until what, or what is counted
 * @property {'ms' | 'kB'} unit of what is measured
 * @property {{ atMost: number }} budget in that unit
 * @property {() => number | Promise<number>} measure one round. It MUST throw when the work was not
 *   done in full.
 * @property {number} [rounds] that count
 * @property {number} [warmups] rounds before, which do not
 */

/**
 * @typedef {object} Growth
 * @property {string} name of its picture
 * @property {string} work what is done
 * @property {string} how it is measured
 * @property {string} per of what there is more and more, in the plural
 * @property {'events/s' | 'per CPU s' | 'ms'} unit of what is measured
 * @property {number[]} sizes how many of them, ascending: all curves at one, then all at the next
 * @property {{ name: string, measure: (n: number) => number | Promise<number> }[]} curves
 *   `measure` is one round with `n` of them; it MUST throw when the work was not done in full.
 * @property {number} [rounds] of each size
 */

export class Bench {
  rows = []
  budgets = []
  growths = []
  failures = []
  suite = ''
  #say

  constructor(say) {
    this.#say = say
  }

  /** Measures one row. A side that throws makes the row one that could not be measured. */
  async compare(/** @type {Comparison} */ comparison) {
    const { work, ours, peer, goal, rounds = 9, warmups = 2 } = comparison
    try {
      const measured = []
      for (let round = -warmups; round < rounds; round++) {
        const values = {}
        // Who goes first changes, so that what one side leaves behind meets both.
        const order = round % 2 === 0 ? { ours, peer } : { peer, ours }
        for (const [side, measure] of Object.entries(order)) {
          collectGarbage()
          values[side] = await measure()
          if (!(values[side] > 0)) throw new Error(`${side} measured ${values[side]}`)
        }
        if (round >= 0) measured.push(values)
      }
      const row = { ...comparison, suite: this.suite, ...summarize(measured, goal) }
      this.rows.push(row)
      this.#say(`  ${renderRow(row)}`)
    } catch (error) {
      this.failed(error, work)
    }
  }

  /** Measures what has a budget, and no peer. One that throws could not be measured. */
  async budget(/** @type {Budget} */ budget) {
    const { work, measure, rounds = 9, warmups = 2 } = budget
    try {
      const values = []
      for (let round = -warmups; round < rounds; round++) {
        collectGarbage()
        const value = await measure()
        if (!(value > 0)) throw new Error(`measured ${value}`)
        if (round >= 0) values.push(value)
      }
      const row = { ...budget, suite: this.suite, ...summarizeBudget(values, budget.budget) }
      this.budgets.push(row)
      this.#say(`  ${renderBudget(row)}`)
    } catch (error) {
      this.failed(error, work)
    }
  }

  /** Measures curves, size after size. */
  async grow(/** @type {Growth} */ growth) {
    const { work, sizes, rounds = 5 } = growth
    const curves = growth.curves.map(({ name }) => ({ name, points: [] }))
    try {
      for (const n of sizes) {
        for (const [i, { measure }] of growth.curves.entries()) {
          const values = []
          for (let round = 0; round < rounds; round++) {
            collectGarbage()
            const value = await measure(n)
            if (!(value > 0)) throw new Error(`measured ${value} with ${n}`)
            values.push(value)
          }
          curves[i].points.push({ n, ...summarizePoint(values) })
        }
      }
      const measured = { ...growth, suite: this.suite, curves }
      this.growths.push(measured)
      for (const line of renderCurves(measured)) this.#say(`  ${line}`)
    } catch (error) {
      this.failed(error, work)
    }
  }

  failed(error, work) {
    this.failures.push({ suite: this.suite, work, error })
    this.#say(`  ✗ ${work ?? this.suite}: ${error.message}`)
  }
}

/** Of this process, where `exposeGarbageCollector` was called; pages see to themselves. */
function collectGarbage() {
  globalThis.gc?.()
}
