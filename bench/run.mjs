// npm run bench [-- suite...]: ours and a peer, round by round in one run, and their ratio; and
// budgets, which have no peer. It says which rows meet their goal and fails for none of them; it
// fails when a row could not be measured, such as one whose events did not all arrive.
//
// To add a row: `await bench.compare({ ... })` or `await bench.budget({ ... })` in a suite. To add a suite: a file in suites/ and
// its line here.

import { whenAskedToStop } from '../scripts/lib/project.mjs'
import { Bench } from './lib/compare.mjs'
import { conditions } from './lib/conditions.mjs'
import { closeAll } from './lib/processes.mjs'
import { render, renderBudgets } from './lib/table.mjs'

const suites = {
  inpage: () => import('./suites/inpage.mjs'),
  tabs: () => import('./suites/tabs.mjs'),
  append: () => import('./suites/append.mjs'),
  read: () => import('./suites/read.mjs'),
  relay: () => import('./suites/relay.mjs'),
  catchup: () => import('./suites/catchup.mjs'),
  handover: () => import('./suites/handover.mjs'),
  budgets: () => import('./suites/budgets.mjs'),
}

const names = Object.keys(suites)
const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !names.includes(name))
if (unknown.length > 0) {
  console.error(`There is no suite called ${unknown.join(', ')}. There are: ${names.join(', ')}.`)
  process.exit(1)
}
const chosen = asked.length > 0 ? [...new Set(asked)] : names

whenAskedToStop(() => void closeAll().finally(() => process.exit(1)))

const bench = new Bench((text) => console.log(text))
for (const name of chosen) {
  const { needs = [], run } = await suites[name]()
  const missing = needs.filter((variable) => !process.env[variable])
  if (missing.length > 0) {
    console.log(
      `${name}: not measured, ${missing.join(' and ')} is not set (npm run bench sets it)`,
    )
    continue
  }
  console.log(`${name} ...`)
  bench.suite = name
  try {
    await run(bench)
  } catch (error) {
    bench.failed(error)
  }
}

console.log(`\n${await conditions(['npm run bench --', ...chosen].join(' '))}\n`)
if (bench.rows.length > 0) console.log(render(bench.rows))
if (bench.rows.length > 0 && bench.budgets.length > 0) console.log()
if (bench.budgets.length > 0) console.log(renderBudgets(bench.budgets))
for (const { suite, work, error } of bench.failures) {
  console.log(`\n✗ ${suite}${work ? `, ${work}` : ''} could not be measured:\n${error.stack}`)
}
process.exitCode = bench.failures.length > 0 ? 1 : 0
