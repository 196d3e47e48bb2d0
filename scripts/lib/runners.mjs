// The test runners: how each is started, and how its JSON report becomes numbers.
// `selection` is undefined (everything), `{ files }` or `{ title }`.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { insideEnv, runNode, tool } from './project.mjs'

async function withReport(work) {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-report-'))
  const file = join(folder, 'report.json')
  try {
    const result = await work(file)
    let report
    try {
      report = JSON.parse(readFileSync(file, 'utf8'))
    } catch {
      // The runner ended before it wrote one: that is a failure below.
    }
    return { result, report }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A runner that ended badly without a failed test (an import, a teardown) is a failure too. */
function honest(counts, { code }) {
  if (code !== 0 && counts.failed === 0) {
    return { ...counts, failed: 1, note: 'the runner itself failed' }
  }
  return counts
}

export const vitest = (project, timeout) => async (selection, env) => {
  const { result, report } = await withReport((file) => {
    const args = [tool('vitest'), 'run', '--project', project, '--passWithNoTests']
    args.push('--reporter=default', '--reporter=json', `--outputFile.json=${file}`)
    if (selection?.files) args.push(...selection.files)
    if (selection?.title) args.push('--testNamePattern', escapeRegExp(selection.title))
    return runNode(args, { env: insideEnv({ ...env, NO_COLOR: '1' }), timeout, live: true })
  })
  const counts = { passed: 0, failed: 0, skipped: 0, skips: [] }
  for (const file of report?.testResults ?? []) {
    if (file.status === 'failed' && file.assertionResults.length === 0) counts.failed++
    for (const { status, fullName } of file.assertionResults) {
      if (status === 'passed') counts.passed++
      else if (status === 'failed') counts.failed++
      else if (!selection?.title || matches(fullName, selection.title)) {
        counts.skipped++
        counts.skips.push(fullName)
      }
    }
  }
  return honest(counts, report ? result : { code: 1 })
}

export const playwright = (timeout) => async (selection, env) => {
  const { result, report } = await withReport((file) => {
    const args = [tool('@playwright/test', 'playwright'), 'test', '--pass-with-no-tests']
    if (selection?.files) args.push(...selection.files.map((path) => `${escapeRegExp(path)}$`))
    if (selection?.title) args.push('--grep', escapeRegExp(selection.title))
    const settings = { ...env, CROSSTOWN_PLAYWRIGHT_REPORT: file, FORCE_COLOR: '0' }
    return runNode(args, { env: insideEnv(settings), timeout, live: true })
  })
  const counts = { passed: 0, failed: 0, skipped: 0, skips: [] }
  const visit = (suite, above) => {
    const path = [...above, suite.title]
    for (const spec of suite.specs ?? []) {
      for (const { status } of spec.tests) {
        if (status === 'expected') counts.passed++
        else if (status === 'skipped') {
          counts.skipped++
          counts.skips.push([...path, spec.title].join(' > '))
        } else counts.failed++ // unexpected, and flaky: a test that needs a second try is broken
      }
    }
    for (const inner of suite.suites ?? []) visit(inner, path)
  }
  for (const suite of report?.suites ?? []) visit(suite, [])
  return honest(counts, report ? result : { code: 1 })
}

const matches = (title, part) => title.toLowerCase().includes(part.toLowerCase())
const escapeRegExp = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
