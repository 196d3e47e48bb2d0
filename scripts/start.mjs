// npm start: installs and builds what is needed, then runs the relay, the services and the demo
// until Ctrl-C. If one of them ends, all end.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { findCapabilities } from './lib/capabilities.mjs'
import { denoFlags } from './lib/demo-stack.mjs'
import { ensureInstalled } from './lib/install.mjs'
import { build } from './lib/phases.mjs'
import {
  indented,
  insideEnv,
  pinnedNode,
  root,
  stop,
  tool,
  whenAskedToStop,
} from './lib/project.mjs'

const relayEntry = 'packages/edge-relay/dist/cli/main.js'
const relayPort = 8787
const demoPort = 5173
const room = 'demo'
const data = '.crosstown'

// What is started, in this order. `ready`: the line that says it is, its group is kept as
// `facts[name]`. `file`: left out, with a word, when it is not there. `deno`: run by Deno.
const programs = [
  {
    name: 'relay',
    file: relayEntry,
    args: async () => {
      const port = await freePort(relayPort)
      const store = `sqlite:./${data}/events.db`
      return [relayEntry, 'serve', '--host', '127.0.0.1', '--port', port, '--store', store]
    },
    ready: /listening on http:\/\/(\S+)/,
  },
  {
    name: 'orders',
    file: 'demo/services/orders.node.ts',
    args: () => ['demo/services/orders.node.ts'],
  },
  {
    name: 'warehouse',
    file: 'demo/services/warehouse.deno.ts',
    deno: true,
    args: () => ['demo/services/warehouse.deno.ts'],
  },
  {
    name: 'demo',
    file: 'demo/index.html',
    cwd: 'demo',
    args: async () => {
      const port = await freePort(demoPort, { next: true })
      return [tool('vite'), '--host', '127.0.0.1', '--port', port, '--strictPort']
    },
    ready: /Local:\s+http:\/\/(?:127\.0\.0\.1|localhost):(\d+)/,
  },
]

const children = new Map()
const facts = {}
let stopping = false

whenAskedToStop(() => shutDown(0))

await ensureInstalled()
console.log('Building the packages ...')
const built = await build()
if (built.code !== 0) {
  indented(process.stderr)(`${built.output}\n`)
  console.error('The build has errors (above); starting what it produced.')
}
mkdirSync(join(root, data), { recursive: true })
const { env, missing } = await findCapabilities(['deno'])

for (const program of programs) {
  if (stopping) break
  if (!existsSync(join(root, program.file))) {
    console.log(`${program.name}: left out, there is no ${program.file}`)
  } else if (program.deno && missing.has('deno')) {
    console.log(`${program.name}: left out, ${missing.get('deno')}`)
  } else {
    await start(program)
  }
}

if (!stopping) {
  const rule = '-'.repeat(64)
  console.log(`\n${rule}`)
  if (facts.relay) console.log(`  Relay:          http://${facts.relay}`)
  if (facts.relay && existsSync(join(root, 'packages/devtools-extension/dist/page/index.html')))
    console.log(`  Inspector:      http://${facts.relay}/inspector?room=${room}`)
  if (facts.demo) console.log(`  Crosstown demo: http://localhost:${facts.demo}/?room=${room}`)
  console.log(`  Ctrl-C stops everything.\n${rule}\n`)
  if (children.size === 0) {
    console.error('Nothing could be started.')
    process.exit(1)
  }
}

/** Starts one program; resolves when it is ready. */
async function start({ name, args, cwd = '.', ready, deno }) {
  const relay = facts.relay && `ws://${facts.relay}`
  const addresses = relay ? { CROSSTOWN_RELAY: relay, VITE_CROSSTOWN_RELAY: relay } : {}
  const command = deno ? env.CROSSTOWN_DENO : pinnedNode()
  const all = [...(deno ? denoFlags : []), ...(await args())].map(String)
  if (stopping) return
  const child = spawn(command, all, {
    cwd: join(root, cwd),
    env: insideEnv({
      ...addresses,
      CROSSTOWN_ROOM: room,
      CROSSTOWN_DATA: `./${data}`,
      NO_COLOR: '1',
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.set(name, child)

  const prefix = `${name.padEnd(13)} | `
  let seen = ''
  await new Promise((resolve) => {
    for (const [stream, target] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      const show = indented(target, prefix)
      stream.setEncoding('utf8').on('data', (text) => {
        show(text)
        if (!ready || facts[name]) return
        seen += text
        const found = ready.exec(seen.slice(0, seen.lastIndexOf('\n') + 1))
        if (found) {
          facts[name] = found[1]
          resolve()
        }
      })
    }
    child.on('error', (error) => ended(error.message))
    child.on('exit', (code, signal) => ended(signal ? `signal ${signal}` : `exit code ${code}`))
    if (!ready) resolve()

    function ended(how) {
      if (!children.delete(name)) return
      resolve()
      // A Ctrl-C reaches the children too, and may be seen there first.
      setTimeout(() => {
        if (stopping) return
        console.error(`\n${name} has ended (${how}); stopping the others.`)
        shutDown(1)
      }, 200)
    }
  })
}

function shutDown(code) {
  if (stopping) return
  stopping = true
  for (const child of [...children.values()].reverse()) stop(child)
  const leave = () => process.exit(code)
  if (children.size === 0) leave()
  for (const child of children.values()) child.once('exit', () => children.size === 0 && leave())
  setTimeout(leave, 6000)
}

/** The wanted port if nobody listens there, else the next free one (`next`) or 0: any. */
async function freePort(wanted, { next = false } = {}) {
  for (let port = wanted; port < wanted + (next ? 100 : 1); port++) {
    if (await isFree(port)) return port
  }
  return 0
}

/** Nobody answers there, on either loopback address, and it can be bound. */
async function isFree(port) {
  if ((await answers(port, '127.0.0.1')) || (await answers(port, '::1'))) return false
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

function answers(port, host) {
  return new Promise((resolve) => {
    const socket = connect({ port, host })
    const done = (result) => {
      socket.destroy()
      resolve(result)
    }
    socket.once('connect', () => done(true))
    socket.once('error', () => done(false))
  })
}
