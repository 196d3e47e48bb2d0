// Rows: two sides measured by turns, round after round; and budgets, which only we have.
import { summarize, summarizeBudget } from './stats.mjs'
import { renderBudget, renderRow } from './table.mjs'

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

export class Bench {
  rows = []
  budgets = []
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

  failed(error, work) {
    this.failures.push({ suite: this.suite, work, error })
    this.#say(`  ✗ ${work ?? this.suite}: ${error.message}`)
  }
}

/** Of this process, where `exposeGarbageCollector` was called; pages see to themselves. */
function collectGarbage() {
  globalThis.gc?.()
}
