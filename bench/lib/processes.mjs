// Servers as processes of their own, so that they do not share a thread with who measures.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { root } from '../../scripts/lib/project.mjs'

/** Starts a script and waits until its output matches; `found` is what the first group has. */
export async function startScript(script, args, ready) {
  return start(process.execPath, [join(root, script), ...args], ready)
}

/** The same for any program; `stop` ends it by its pid. */
export async function start(command, args, ready) {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
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
    child.on('exit', () => reject(new Error(`${command} ended before it was ready:\n${output}`)))
  })
  return { found, stop }
}

/** A relay; `store` as in `crosstown-relay serve --store`. */
export async function startRelay(store) {
  const cli = 'packages/edge-relay/dist/cli/main.js'
  const args = ['serve', '--port', '0', '--store', store]
  const { found, stop } = await startScript(cli, args, /listening on http:\/\/(\S+)/)
  return { url: `ws://${found}`, stop }
}
