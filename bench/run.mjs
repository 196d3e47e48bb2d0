// npm run bench [-- suite...]: ours and a peer, round by round in one run, and their ratio; and
// budgets, which have no peer. It says which rows meet their goal and fails for none of them; it
// fails when a row could not be measured, such as one whose events did not all arrive. A run of all
// suites writes docs/benchmarks.md; one of some prints only.
//
// To add a row: `await bench.compare({ ... })`, `budget` or `grow` in a suite. To add a suite: a file
// in suites/ and its line here.

import { join } from 'node:path'
import { root, whenAskedToStop } from '../scripts/lib/project.mjs'
import { Bench } from './lib/compare.mjs'
import { conditions } from './lib/conditions.mjs'
import { writeDocument } from './lib/document.mjs'
import { closeAll } from './lib/processes.mjs'
import { render, renderBudgets, renderGrowth } from './lib/table.mjs'

const suites = {
  inpage: () => import('./suites/inpage.mjs'),
  tabs: () => import('./suites/tabs.mjs'),
  append: () => import('./suites/append.mjs'),
  read: () => import('./suites/read.mjs'),
  durable: () => import('./suites/durable.mjs'),
  relay: () => import('./suites/relay.mjs'),
  runtimes: () => import('./suites/runtimes.mjs'),
  stores: () => import('./suites/stores.mjs'),
  engines: () => import('./suites/engines.mjs'),
  groups: () => import('./suites/groups.mjs'),
  storm: () => import('./suites/storm.mjs'),
  catchup: () => import('./suites/catchup.mjs'),
  handover: () => import('./suites/handover.mjs'),
  growth: () => import('./suites/growth.mjs'),
  devtools: () => import('./suites/devtools.mjs'),
  'devtools-tap': () => import('./suites/devtools-tap.mjs'),
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
const about = {}
const left = []
for (const name of chosen) {
  const { needs = [], about: said, run } = await suites[name]()
  about[name] = said
  const missing = needs.filter((variable) => !process.env[variable])
  if (missing.length > 0) {
    left.push(name)
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

const command = chosen === names ? 'npm run bench' : ['npm run bench --', ...chosen].join(' ')
const measuredOn = await conditions(command)
const { rows, budgets, growths, failures } = bench
const tables = [
  ...(rows.length > 0 ? [render(rows)] : []),
  ...(budgets.length > 0 ? [renderBudgets(budgets)] : []),
  ...growths.map((growth) => `${growth.work}\n${renderGrowth(growth)}`),
]
console.log(`\n${[measuredOn, ...tables].join('\n\n')}`)
for (const { suite, work, error } of failures) {
  console.log(`\n✗ ${suite}${work ? `, ${work}` : ''} could not be measured:\n${error.stack}`)
}
// Half a document would look like all there is.
if (chosen === names && failures.length === 0 && left.length === 0) {
  await writeDocument(join(root, 'docs'), { rows, budgets, growths, about, conditions: measuredOn })
  console.log('\nWrote docs/benchmarks.md.')
} else {
  console.log('\ndocs/benchmarks.md is as it was: only a run that measured everything writes it.')
}
process.exitCode = failures.length > 0 ? 1 : 0
