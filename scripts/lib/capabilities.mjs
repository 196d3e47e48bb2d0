// What tests can require beyond npm packages: a browser, another runtime, a server.
// To add one: a name, the variable that tells tests where it is, and how to find it. `find` returns
// `{ value }` for that variable, or `{ missing: 'one line of reason' }`.
// A test that needs one skips when its variable is unset. CROSSTOWN_REQUIRE=name,name turns a
// missing one into a failure.
import { existsSync, readdirSync } from 'node:fs'
import { devNull } from 'node:os'
import { join } from 'node:path'
import { root, run, runNode, tool, which, windows } from './project.mjs'

export const capabilities = {
  chromium: { variable: 'CROSSTOWN_CHROMIUM', find: findChromium },
  deno: { variable: 'CROSSTOWN_DENO', find: findDeno },
  bun: { variable: 'CROSSTOWN_BUN', find: findBun },
  firefox: { variable: 'CROSSTOWN_FIREFOX', find: findFirefox },
  redis: { variable: 'CROSSTOWN_REDIS', find: findRedis },
  nats: { variable: 'CROSSTOWN_NATS', find: findNats },
  postgres: { variable: 'CROSSTOWN_POSTGRES', find: findPostgres },
  strace: { variable: 'CROSSTOWN_STRACE', find: findStrace },
}

/** Finds the named capabilities; returns the variables to set and why others are missing. */
export async function findCapabilities(names) {
  const env = {}
  const missing = new Map()
  for (const name of names) {
    const { variable, find } = capabilities[name]
    const found = await find(process.env[variable])
    if (found.value === undefined) missing.set(name, found.missing)
    else env[variable] = found.value
  }
  return { env, missing }
}

/** The names in CROSSTOWN_REQUIRE. */
export const required = () =>
  (process.env.CROSSTOWN_REQUIRE ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)

const answers = async (command) =>
  (await run(command, ['--version'], { timeout: 60_000 })).code === 0

async function findChromium(given) {
  if (given) {
    return (await answers(given))
      ? { value: given }
      : { missing: `CROSSTOWN_CHROMIUM=${given} does not start` }
  }
  const own = await playwrightChromium()
  if (own) return { value: own }

  const onSystem = () => which('chromium', 'chromium-browser', 'google-chrome')
  const system = onSystem()
  if (system && (await answers(system))) return { value: system }

  const installed = await withApt(['chromium', 'fonts-liberation'], onSystem)
  if (installed) return { value: installed }

  console.log('Installing Chromium with Playwright (playwright install chromium) ...')
  const install = await runNode([tool('@playwright/test', 'playwright'), 'install', 'chromium'], {
    timeout: 240_000,
  })
  const downloaded = await playwrightChromium()
  if (downloaded) return { value: downloaded }
  const last = install.output.trim().split('\n').at(-1) ?? ''
  return { missing: `no Chromium found, and none could be installed (${last.trim()})` }
}

/** What `onSystem` finds, when it starts, after the packages were installed; where that is allowed. */
async function withApt(packages, onSystem) {
  if (process.getuid?.() !== 0 || !which('apt-get')) return undefined
  const [name] = packages
  console.log(`Installing ${name} with apt-get (update, then install ${name}) ...`)
  const started = Date.now()
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (...args) => run('apt-get', args, { env, timeout: 300_000 })
  const update = await apt('update')
  const install = await apt('install', '-y', '--no-install-recommends', ...packages)
  const installed = onSystem()
  if (installed && (await answers(installed))) {
    console.log(`  done in ${Math.round((Date.now() - started) / 1000)} s.`)
    return installed
  }
  console.log(`${update.output}\n${install.output}`.trim().split('\n').slice(-8).join('\n'))
  console.log(`  apt-get did not bring a ${name} that starts.`)
  return undefined
}

/** Playwright's own Chromium, when it is on the disk and starts here. */
async function playwrightChromium() {
  const code = "console.log((await import('@playwright/test')).chromium.executablePath())"
  const { code: failed, output } = await runNode(['--input-type=module', '--eval', code])
  const path = output.trim()
  return failed === 0 && path && existsSync(path) && (await answers(path)) ? path : undefined
}

async function findDeno(given) {
  const own = join(root, 'node_modules', 'deno', windows ? 'deno.exe' : 'deno')
  for (const path of [given, own, which('deno')]) {
    if (path && existsSync(path) && (await answers(path))) return { value: path }
  }
  return { missing: 'no Deno that starts here (the npm package deno has none for this machine?)' }
}

async function findBun(given) {
  const own = join(root, 'node_modules', 'bun', 'bin', 'bun.exe')
  for (const path of [given, own, which('bun')]) {
    if (path && existsSync(path) && (await answers(path))) return { value: path }
  }
  return { missing: 'no Bun that starts here (the npm package bun has none for this machine?)' }
}

/** A Firefox as its users have it: Playwright's own installs no extension. */
async function findFirefox(given) {
  const onSystem = () => which('firefox-esr', 'firefox')
  for (const path of [given, onSystem()]) {
    if (path && (await answers(path))) return { value: path }
  }
  if (given) return { missing: `CROSSTOWN_FIREFOX=${given} does not start` }
  const installed = await withApt(['firefox-esr'], onSystem)
  return installed ? { value: installed } : { missing: 'no Firefox that starts here' }
}

/** The server, which tests start on ports of their own: one that runs here already is left alone. */
async function findRedis(given) {
  const onSystem = () => which('redis-server')
  for (const path of [given, onSystem()]) {
    if (path && (await answers(path))) return { value: path }
  }
  if (given) return { missing: `CROSSTOWN_REDIS=${given} does not start` }
  const installed = await withApt(['redis-server'], onSystem)
  return installed
    ? { value: installed }
    : { missing: 'no redis-server that starts here, and none could be installed' }
}

/** The server, as that of Redis. */
async function findNats(given) {
  const onSystem = () => which('nats-server')
  for (const path of [given, onSystem()]) {
    if (path && (await answers(path))) return { value: path }
  }
  if (given) return { missing: `CROSSTOWN_NATS=${given} does not start` }
  const installed = await withApt(['nats-server'], onSystem)
  return installed
    ? { value: installed }
    : { missing: 'no nats-server that starts here, and none could be installed' }
}

/** The newest one that Debian's packages have put where they put it: its commands are on nobody's path. */
async function findPostgres(given) {
  const onSystem = () => {
    const home = '/usr/lib/postgresql'
    const versions = existsSync(home) ? readdirSync(home).map(Number).filter(Boolean) : []
    const [newest] = versions.sort((a, b) => b - a)
    const packaged = join(home, String(newest), 'bin', 'postgres')
    return existsSync(packaged) ? packaged : which('postgres')
  }
  for (const path of [given, onSystem()]) {
    if (path && (await answers(path))) return { value: path }
  }
  if (given) return { missing: `CROSSTOWN_POSTGRES=${given} does not start` }
  const installed = await withApt(['postgresql'], onSystem)
  return installed
    ? { value: installed }
    : { missing: 'no PostgreSQL that starts here, and none could be installed' }
}

/** What notes how processes write their files: where it may, which a container can forbid. */
async function findStrace(given) {
  const onSystem = () => which('strace')
  const traces = async (path) => {
    const args = ['-f', '--seccomp-bpf', '-o', devNull, process.execPath, '--version']
    return (await run(path, args, { timeout: 60_000 })).code === 0
  }
  for (const path of [given, onSystem()]) {
    if (!path || !(await answers(path))) continue
    return (await traces(path)) ? { value: path } : { missing: `${path} may not trace here` }
  }
  if (given) return { missing: `CROSSTOWN_STRACE=${given} does not start` }
  const installed = await withApt(['strace'], onSystem)
  if (!installed) return { missing: 'no strace that starts here, and none could be installed' }
  return (await traces(installed)) ? { value: installed } : { missing: 'strace may not trace here' }
}
