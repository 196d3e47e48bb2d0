// Servers as processes of their own, so that they do not share a thread with who measures.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { root } from '../../scripts/lib/project.mjs'

const open = new Set()

/** What `close` ends is ended also where the run is asked to stop; call what this returns. */
export function untilClosed(close) {
  open.add(close)
  return async () => {
    open.delete(close)
    await close()
  }
}

/** Ends all that is still open. */
export async function closeAll() {
  await Promise.allSettled([...open].map((close) => close()))
}

/**
 * Starts a script of the repository and waits until its output matches; `found` is what the first
 * group has, `stop` ends it by its pid, and `cost` says what it used so far: CPU time, with
 * `'memory'` what it holds once its garbage is gone, and with `'stall'` the longest stall of its event
 * loop since that was asked before.
 */
export async function startScript(script, args, ready) {
  const meter = new URL('meter.mjs', import.meta.url).href
  const child = spawn(process.execPath, ['--import', meter, script, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const stop = untilClosed(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  })
  const found = await new Promise((resolve, reject) => {
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text
        const match = ready.exec(output)
        if (match) resolve(match[1])
      })
    }
    child.on('error', reject)
    child.on('exit', () => reject(new Error(`${script} ended before it was ready:\n${output}`)))
  })
  const cost = async (what = 'cpu') => {
    child.send(what)
    const [answer] = await once(child, 'message')
    return answer
  }
  return { found, stop, cost }
}

/** A relay; `store` and `port` as in `crosstown-relay serve`. */
export async function startRelay(store, port = '0') {
  const cli = 'packages/edge-relay/dist/cli/main.js'
  const args = ['serve', '--port', port, '--store', store]
  const { found, stop, cost } = await startScript(cli, args, /listening on http:\/\/(\S+)/)
  return { url: `ws://${found}`, stop, cost }
}
