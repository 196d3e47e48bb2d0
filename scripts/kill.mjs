// npm run kill -- <node|deno|bun|workerd|postgresql|redis> [--times 50] [--seed 1]: installs, builds, finds
// runtimes and engines, then kills relays, and the engines under them, under load, on the pinned Node.
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

const { env, missing } = await findCapabilities(['deno', 'bun', 'redis', 'postgres'])
for (const [name, reason] of missing) console.log(`Without ${name}: ${reason}`)

const main = 'packages/edge-relay/src/testing/kill-main.ts'
const kill = await runNode([main, ...process.argv.slice(2)], { env: insideEnv(env), inherit: true })
process.exitCode = kill.code
