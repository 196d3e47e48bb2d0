// Servers on whatever runtime, as processes of their own. What they cost is read from the system, which
// says it alike of all runtimes; a runtime that runs in a child of its process counts with it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { root } from '../../scripts/lib/project.mjs'
import { untilClosed } from './processes.mjs'

/** Of Linux, where the kernel counts in hundredths of a second. */
const TICK_MS = 10

export const canReadCost = existsSync('/proc/self/stat')

const RELAY = 'packages/edge-relay/dist/cli/main.js'
const LISTENING = /listening on (?:http:\/\/)?(\S+)\n/

/** How each runtime runs a script, and the relay. */
export const runtimes = [
  { name: 'Node', command: () => [process.execPath] },
  { name: 'Deno', command: () => [process.env.CROSSTOWN_DENO, 'run', '--no-prompt', '-A'] },
  { name: 'Bun', command: () => [process.env.CROSSTOWN_BUN] },
  { name: 'workerd', isWorker: true, command: () => [process.execPath, 'bench/peers/workerd.mjs'] },
]

/** The relay on a runtime; its rooms are in memory, on workerd in the SQLite of Durable Objects. */
export function startRelayOn(runtime, store = 'memory') {
  if (runtime.isWorker) return startOn(runtime, 'bench/peers/relay-worker.mjs')
  return startOn(runtime, RELAY, ['serve', '--port', '0', '--store', store])
}

/** Starts a script on a runtime, and waits until it listens: on `address`. */
export async function startOn(runtime, script, args = []) {
  const [command, ...before] = runtime.command()
  const child = spawn(command, [...before, script, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stop = untilClosed(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  })
  const address = await new Promise((resolve, reject) => {
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text
        const match = LISTENING.exec(output)
        if (match) resolve(match[1])
      })
    }
    child.on('error', reject)
    child.on('exit', () => reject(new Error(`${script} ended on ${runtime.name}:\n${output}`)))
  })
  return { address, stop, cost: () => costOf(serving(child.pid, runtime)) }
}

/** The process that serves: of a Worker's, the child that workerd is. */
function serving(pid, { isWorker }) {
  if (!isWorker) return pid
  const child = readdirSync('/proc').find(
    (name) => /^\d+$/.test(name) && isChild(fieldsOf(name), pid),
  )
  if (child === undefined) throw new Error('workerd is not running')
  return child
}

const isChild = (fields, pid) => fields?.name === 'workerd' && fields.parent === String(pid)

/** Milliseconds of CPU time so far, and bytes it has resident. */
function costOf(pid) {
  const fields = fieldsOf(pid)
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  return { cpuMs: fields.ticks * TICK_MS, residentBytes: pages * 4_096 }
}

function fieldsOf(pid) {
  try {
    // The name, in parentheses, may have spaces.
    const [, name, rest] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    const fields = rest.split(' ')
    return { name, parent: fields[1], ticks: Number(fields[11]) + Number(fields[12]) }
  } catch {
    return undefined
  }
}
