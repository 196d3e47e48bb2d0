// The whole demo on ports of its own, for pictures and tests: relay (in memory), services, and the
// site as it is built for production.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findCapabilities } from './capabilities.mjs'
import { insideEnv, pinnedNode, root, stop, tool } from './project.mjs'

const READY_MS = 60_000

/** How Deno runs a service, here and in `npm start`. */
export const denoFlags = [
  'run',
  '--quiet',
  '--no-prompt',
  '--no-lock',
  '--node-modules-dir=manual',
  '--allow-net',
  '--allow-env',
  '--allow-read',
  '--allow-write',
  '--allow-sys',
]

/**
 * Starts it all; the services join `room`, the one on Deno where there is a Deno. `sendAway` ends a
 * service, and gives a function that brings it back.
 * @typedef {'orders' | 'warehouse'} ServiceName
 * @param {{ room?: string }} options
 * @returns {Promise<{
 *   url: string,
 *   relay: string,
 *   sendAway: (name: ServiceName) => Promise<() => Promise<void>>,
 *   stop: () => Promise<void>,
 * }>}
 */
export async function startDemo({ room = 'demo' } = {}) {
  const children = []
  const services = {}
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-demo-'))
  const [site, data] = [join(folder, 'site'), join(folder, 'data')]
  mkdirSync(data)
  const launch = (command, args, ready, { cwd = '.', env = {} } = {}) => {
    const child = spawn(command, args.map(String), {
      cwd: join(root, cwd),
      env: insideEnv({ ...env, NO_COLOR: '1' }),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.push(child)
    return line(child, ready, args)
  }
  const stopAll = async () => {
    const ends = children.map(
      (child) =>
        child.exitCode ?? child.signalCode ?? new Promise((resolve) => child.once('exit', resolve)),
    )
    for (const child of children.reverse()) stop(child)
    await Promise.all(ends)
    rmSync(folder, { recursive: true, force: true })
  }

  try {
    const cli = 'packages/edge-relay/dist/cli/main.js'
    const serve = [cli, 'serve', '--host', '127.0.0.1', '--port', 0, '--store', 'memory']
    const relay = `ws://${await launch(pinnedNode(), serve, /listening on http:\/\/(\S+)/)}`
    const env = {
      CROSSTOWN_RELAY: relay,
      CROSSTOWN_ROOM: room,
      CROSSTOWN_DATA: data,
      VITE_CROSSTOWN_RELAY: relay,
    }
    const { CROSSTOWN_DENO } = (await findCapabilities(['deno'])).env
    const service = async (name) => {
      const [command, ...args] =
        name === 'orders'
          ? [pinnedNode(), 'demo/services/orders.node.ts']
          : [CROSSTOWN_DENO, ...denoFlags, 'demo/services/warehouse.deno.ts']
      await launch(command, args, /relay online()/, { env })
      services[name] = children.at(-1)
    }
    await service('orders')
    if (CROSSTOWN_DENO) await service('warehouse')
    const vite = tool('vite')
    const out = ['--outDir', site, '--emptyOutDir']
    await launch(pinnedNode(), [vite, 'build', ...out], /built in ()/, { cwd: 'demo', env })
    const port = await freePort()
    const at = ['--host', '127.0.0.1', '--port', port, '--strictPort']
    const preview = [vite, 'preview', '--outDir', site, ...at]
    const ready = /Local:\s+http:\/\/127\.0\.0\.1:(\d+)/
    const found = await launch(pinnedNode(), preview, ready, { cwd: 'demo', env })
    const sendAway = async (name) => {
      const ended = new Promise((resolve) => services[name].once('exit', resolve))
      stop(services[name])
      await ended
      return () => service(name)
    }
    return { url: `http://localhost:${found}`, relay, sendAway, stop: stopAll }
  } catch (error) {
    await stopAll()
    throw error
  }
}

/** What `ready` finds in the output of a child. */
function line(child, ready, args) {
  return new Promise((resolve, reject) => {
    let output = ''
    const fail = (how) => reject(new Error(`${args.join(' ')}: ${how}\n${output}`))
    const timer = setTimeout(() => fail('not ready in time'), READY_MS)
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text
        const found = ready.exec(output.slice(0, output.lastIndexOf('\n') + 1))
        if (!found) return
        clearTimeout(timer)
        resolve(found[1])
      })
    }
    child.on('error', (error) => fail(error.message))
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      fail(`ended (${signal ?? code})`)
    })
  })
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
