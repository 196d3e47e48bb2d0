// What every command shares: where things are, how a tool is started, how a child is stopped.
// Plain Node 20, no dependencies: this runs before anything is installed.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
export const windows = process.platform === 'win32'

const [major = 0] = process.versions.node.split('.').map(Number)
if (major < 20) {
  console.error(`Crosstown needs Node 20 or newer; this is Node ${process.versions.node}.`)
  process.exit(1)
}

const binFolder = join(root, 'node_modules', '.bin')
const ownBins = (folder) => resolve(folder || '.').startsWith(join(root, 'node_modules') + sep)
const outerPath = (process.env.PATH ?? '').split(delimiter).filter((folder) => !ownBins(folder))

/** The PATH without this repository's tools: for npm itself. */
export const outsideEnv = () => ({ ...process.env, PATH: outerPath.join(delimiter) })

/** The environment of everything that runs after the installation: the pinned Node comes first. */
export function insideEnv(extra = {}) {
  const { FORCE_COLOR: _, NO_COLOR: __, ...env } = process.env
  return { ...env, PATH: [binFolder, ...outerPath].join(delimiter), ...extra }
}

export const pinnedNode = () =>
  join(root, 'node_modules', 'node', 'bin', windows ? 'node.exe' : 'node')

/** The script behind a package's command, e.g. `tool('vitest')`; run it with the pinned Node. */
export function tool(packageName, command = packageName) {
  const folder = join(root, 'node_modules', packageName)
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return join(folder, typeof bin === 'string' ? bin : bin[command])
}

/** The first of these commands that is on the PATH, or undefined. */
export function which(...names) {
  for (const name of names) {
    for (const folder of outerPath) {
      const file = join(folder || '.', windows ? `${name}.exe` : name)
      if (existsSync(file)) return file
    }
  }
  return undefined
}

const running = new Set()

/** Asks a child to stop, and makes it stop when it does not. Only ever a process we started. */
export function stop(child, { signal = 'SIGTERM', patience = 5000 } = {}) {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  child.kill(signal)
  const last = setTimeout(() => child.kill('SIGKILL'), patience)
  child.once('exit', () => clearTimeout(last))
}

/** Calls `leave` once when this process should end: a signal, or npm above it is gone. */
export function whenAskedToStop(leave) {
  let asked = false
  const ask = () => {
    if (asked) return
    asked = true
    leave()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, ask)
  // A signal to npm ends npm and the shell between, which hands nothing on.
  if (process.env.npm_lifecycle_event && !windows) {
    const parent = process.ppid
    setInterval(() => process.ppid !== parent && ask(), 250).unref()
  }
}

/** For commands that `run` one thing after the other: stops what runs, and leaves. */
export function stopWhenAsked() {
  whenAskedToStop(() => {
    const leave = () => process.exit(1)
    if (running.size === 0) leave()
    for (const child of running) {
      child.once('close', () => running.size === 0 && leave())
      stop(child, { signal: 'SIGINT' })
    }
    setTimeout(leave, 6000)
  })
}

/**
 * Runs one command to its end. Its output is collected; `live` also shows it as it comes,
 * `inherit` hands the terminal over.
 */
export function run(command, args, options = {}) {
  const { cwd = root, env = insideEnv(), timeout = 0, live = false, inherit = false } = options
  return new Promise((done) => {
    const child = spawn(command, args, {
      cwd,
      env,
      shell: options.shell ?? false,
      stdio: inherit ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    })
    running.add(child)
    let output = ''
    let timedOut = false
    const show = live ? indented(process.stdout) : undefined
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        output += text
        show?.(text)
      })
    }
    const timer =
      timeout > 0 &&
      setTimeout(() => {
        timedOut = true
        stop(child, { signal: 'SIGINT', patience: 10_000 })
      }, timeout)
    const end = (code) => {
      if (timer) clearTimeout(timer)
      running.delete(child)
      if (timedOut) output += `\nStopped after ${Math.round(timeout / 1000)} s.\n`
      done({ code: timedOut ? 1 : code, output, shown: live || inherit })
    }
    child.on('error', (error) => {
      output += `${command}: ${error.message}\n`
      end(1)
    })
    child.on('close', (code) => end(code ?? 1))
  })
}

/** Runs a script or a tool on the pinned Node. */
export const runNode = (args, options = {}) => run(pinnedNode(), args, options)

/** Writes whole lines, each with a prefix. */
export function indented(stream, prefix = '    ') {
  let rest = ''
  return (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) stream.write(line.trim() === '' ? '\n' : `${prefix}${line}\n`)
  }
}
