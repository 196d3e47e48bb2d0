// npm run devtools: what `npm start` does, and a browser with the extension and the demo, with DevTools
// open at the panel. Ends with Ctrl-C, or with the browser.
//   npm run devtools -- --headless   where there is no display: for tests
import { spawn } from 'node:child_process'
import { findCapabilities } from './lib/capabilities.mjs'
import { ensureInstalled } from './lib/install.mjs'
import { indented, insideEnv, pinnedNode, root, stop, whenAskedToStop } from './lib/project.mjs'

const flags = process.argv.slice(2)
const children = new Set()
let stopping = false

whenAskedToStop(() => shutDown(0))
await ensureInstalled()
const stack = start('scripts/start.mjs', [], process.stdout)
const address = await line(stack, /Crosstown demo:\s+(http:\S+)/)
if (address && !stopping) await browse(address)

async function browse(address) {
  const { env, missing } = await findCapabilities(['chromium'])
  if (stopping) return
  if (missing.has('chromium')) return explain(address, missing.get('chromium'))
  const display = process.platform !== 'linux' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY
  if (!display && !flags.includes('--headless')) return explain(address, 'there is no display here')
  start('scripts/lib/open-devtools.mjs', [address, ...flags], process.stdout, env)
}

/** How to do by hand what cannot be done here. */
function explain(address, reason) {
  console.log(`No browser was opened: ${reason}. By hand:
  1. Open chrome://extensions, switch on "Developer mode", choose "Load unpacked" and
     ${root}/packages/devtools-extension/dist/chromium
     (Firefox: about:debugging, "This Firefox", "Load Temporary Add-on", dist/firefox/manifest.json)
  2. Open ${address}
  3. Open DevTools there (F12), and in them the panel "Crosstown".
Ctrl-C stops everything.`)
}

/** A script of ours; when it ends, so do the others. */
function start(script, args, output, env = {}) {
  const child = spawn(pinnedNode(), [script, ...args], {
    cwd: root,
    env: insideEnv(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', indented(output, ''))
  }
  child.on('exit', (code) => {
    children.delete(child)
    shutDown(code ?? 1)
  })
  return child
}

/** What a pattern finds in the output of a child; `undefined` when it ends first. */
function line(child, pattern) {
  return new Promise((resolve) => {
    let output = ''
    child.stdout.on('data', (text) => {
      output += text
      const found = pattern.exec(output.slice(0, output.lastIndexOf('\n') + 1))
      if (found) resolve(found[1])
    })
    child.on('exit', () => resolve(undefined))
  })
}

function shutDown(code) {
  if (!stopping) {
    stopping = true
    process.exitCode = code
    for (const child of children) stop(child, { patience: 10_000 })
  }
  if (children.size === 0) process.exit()
}
