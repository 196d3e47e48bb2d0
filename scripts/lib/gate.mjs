// Runs phases one after the other, goes on after a failure, and sums up.
import { capabilities, findCapabilities, required } from './capabilities.mjs'
import { ensureInstalled } from './install.mjs'
import { build, phases } from './phases.mjs'
import { indented, stopWhenAsked } from './project.mjs'

const plural = (count, one) => `${count} ${one}${count === 1 ? '' : 's'}`

/**
 * @param {{ only?: string[], filter?: string[] }} options `only`: these phases; `filter`: words
 *   that name phases, or a part of a test file's path, or a part of a test's title.
 */
export async function gate({ only, filter = [] } = {}) {
  stopWhenAsked()
  const began = Date.now()
  const total = { passed: 0, failed: 0, skipped: 0 }
  const failures = []
  const add = (name, counts) => {
    total.passed += counts.passed
    total.failed += counts.failed
    total.skipped += counts.skipped
    if (counts.failed > 0) failures.push(name)
  }
  const fail = (name, reason) => {
    console.log(`✗ ${name}: ${reason}`)
    add(name, { passed: 0, failed: 1, skipped: 0 })
  }

  await ensureInstalled()

  const { chosen, selection } = select(
    phases.filter(({ name }) => !only || only.includes(name)),
    filter,
  )

  const wanted = new Set(chosen.flatMap(({ needs = [], uses = [] }) => [...needs, ...uses]))
  const whole = filter.length === 0 && !only
  const needed = required().filter((name) => whole || wanted.has(name) || !(name in capabilities))
  for (const name of needed.filter((name) => !(name in capabilities))) {
    fail('CROSSTOWN_REQUIRE', `there is no capability called ${name}`)
  }
  const names = Object.keys(capabilities)
  const { env, missing } = await findCapabilities(
    names.filter((name) => wanted.has(name) || needed.includes(name)),
  )
  for (const [name, reason] of missing) {
    if (needed.includes(name)) fail(name, `required, but ${reason}`)
    else console.log(`- without ${name}: ${reason}`)
  }

  if (chosen.some(({ built }) => built) && !chosen.some(({ name }) => name === 'types')) {
    const { code, output } = await build()
    if (code !== 0) {
      indented(process.stdout)(`${output.trim()}\n`)
      console.log('! The build has type errors (above); the tests run what it produced.')
    }
  }

  for (const phase of chosen) {
    const started = Date.now()
    const took = () => `${((Date.now() - started) / 1000).toFixed(1)} s`
    const without = (phase.needs ?? []).filter((name) => missing.has(name))
    const files = phase.files?.()
    if (without.length > 0) {
      console.log(`- ${phase.name} skipped: without ${without.join(', ')}`)
      add(phase.name, { passed: 0, failed: 0, skipped: 1 })
    } else if (files?.length === 0) {
      console.log(`- ${phase.name} skipped: it has no test files`)
      add(phase.name, { passed: 0, failed: 0, skipped: 1 })
    } else if (phase.check) {
      const { code, output } = await phase.check()
      if (code !== 0) indented(process.stdout)(`${output.trim()}\n`)
      console.log(`${code === 0 ? '✓' : '✗'} ${phase.name} (${took()})`)
      add(phase.name, { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 })
    } else {
      console.log(
        `… ${phase.name}: ${plural(selection.get(phase)?.files?.length ?? files.length, 'file')}`,
      )
      const counts = await phase.runner(selection.get(phase), env)
      for (const skip of counts.skips) console.log(`    skipped: ${skip}`)
      const note = counts.note ? `, ${counts.note}` : ''
      const nothing = counts.passed + counts.failed + counts.skipped === 0
      const sign = counts.failed > 0 ? '✗' : nothing ? '-' : '✓'
      console.log(
        `${sign} ${phase.name}: ${nothing ? 'nothing ran' : line(counts)}${note} (${took()})`,
      )
      add(phase.name, counts)
    }
  }

  if (total.passed + total.failed + total.skipped === 0) {
    fail('filter', `no tests matched "${filter.join(' ')}"`)
  }
  console.log()
  if (failures.length > 0) console.log(`Failed: ${failures.join(', ')}`)
  console.log(`Took ${Math.round((Date.now() - began) / 1000)} s.`)
  console.log(line(total))
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0
}

const line = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`

/** Which phases a filter means, and which of their tests. */
function select(all, filter) {
  const selection = new Map()
  if (filter.length === 0) return { chosen: all, selection }
  const named = all.filter(({ name }) =>
    filter.some((word) => name === word || name.startsWith(`${word}:`)),
  )
  const words = filter.filter(
    (word) => !all.some(({ name }) => name === word || name.startsWith(`${word}:`)),
  )
  if (words.length === 0) return { chosen: named, selection }

  // Words that are left narrow the test phases: those named before, or all of them.
  const tests = (named.length > 0 ? named : all).filter(({ runner }) => runner)
  for (const phase of tests) {
    const files = phase.files().filter((path) => words.some((word) => path.includes(word)))
    if (files.length > 0) selection.set(phase, { files })
  }
  if (selection.size === 0) {
    const title = words.join(' ')
    for (const phase of tests) if (phase.files().length > 0) selection.set(phase, { title })
  }
  return { chosen: tests.filter((phase) => selection.has(phase)), selection }
}
