// npm run kill -- <node|deno|bun|workerd|postgresql|redis|nats|durable> [--times 50] [--seed 1]: installs, builds,
// finds runtimes and engines, then kills relays, and the engines under them, under load, or (durable) tabs and
// processes that consume, on the pinned Node.
// npm run kill -- losses [--only redis] [--write]: what engines lose in each of their settings.
import { parseArgs } from 'node:util'
import { findCapabilities } from './lib/capabilities.mjs'
import { ensureInstalled } from './lib/install.mjs'
import { build } from './lib/phases.mjs'
import { insideEnv, runNode, stopWhenAsked } from './lib/project.mjs'

stopWhenAsked()
await ensureInstalled()

const { code, output } = await build()
if (code !== 0) {
  console.error(output)
  console.error('The build failed; nothing was killed.')
  process.exit(1)
}

const [what, ...rest] = process.argv.slice(2)
const { env, missing } = await findCapabilities(
  what === 'durable' ? ['chromium'] : ['deno', 'bun', 'redis', 'postgres', 'nats', 'strace'],
)
for (const [name, reason] of missing) console.log(`Without ${name}: ${reason}`)

if (what === 'durable') {
  const { values } = parseArgs({
    args: rest,
    options: {
      times: { type: 'string', default: '50' },
      events: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '1' },
    },
  })
  const { times, events, seed } = values
  const asked = {
    CROSSTOWN_DURABLE_KILLS: times,
    CROSSTOWN_DURABLE_EVENTS: events,
    CROSSTOWN_DURABLE_SEED: seed,
  }
  const args = [
    'node_modules/@playwright/test/cli.js',
    'test',
    'e2e/durable.test.ts',
    '--workers',
    '1',
  ]
  const killed = await runNode(args, { env: { ...insideEnv(env), ...asked }, inherit: true })
  process.exit(killed.code)
}

const testing = 'packages/edge-relay/src/testing'
const main =
  what === 'losses'
    ? [`${testing}/loss-main.ts`, ...rest]
    : [`${testing}/kill-main.ts`, ...process.argv.slice(2)]
const kill = await runNode(main, { env: insideEnv(env), inherit: true })
process.exitCode = kill.code
