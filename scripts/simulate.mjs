// npm run simulate: installs, builds, then runs simulator/main.ts on the pinned Node.
import { ensureInstalled } from './lib/install.mjs'
import { build } from './lib/phases.mjs'
import { runNode, stopWhenAsked } from './lib/project.mjs'

stopWhenAsked()
await ensureInstalled()

const { code, output } = await build()
if (code !== 0) {
  console.error(output)
  console.error('The build failed; nothing was simulated.')
  process.exit(1)
}

const simulation = await runNode(['simulator/main.ts', ...process.argv.slice(2)], { inherit: true })
process.exitCode = simulation.code
