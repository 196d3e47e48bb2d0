// npm run bench: installs, builds, finds a browser, then runs bench/run.mjs on the pinned Node.
import { findCapabilities } from './lib/capabilities.mjs'
import { ensureInstalled } from './lib/install.mjs'
import { build } from './lib/phases.mjs'
import { insideEnv, runNode, stopWhenAsked } from './lib/project.mjs'

stopWhenAsked()
await ensureInstalled()

const { code, output } = await build()
if (code !== 0) {
  console.error(output)
  console.error('The build failed; nothing was measured.')
  process.exit(1)
}

const { env, missing } = await findCapabilities([
  'chromium',
  'deno',
  'bun',
  'postgres',
  'redis',
  'nats',
])
for (const [name, reason] of missing) console.log(`Without ${name}: ${reason}`)

const bench = await runNode(['bench/run.mjs', ...process.argv.slice(2)], {
  env: insideEnv(env),
  inherit: true,
})
process.exitCode = bench.code
