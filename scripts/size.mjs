// npm run size: what an application loads of packages/bus, as it is built.
//   npm run size             by entry and part
//   npm run size -- stages   what is loaded first, by stage as well
import { ENTRIES, sizesOf } from './lib/sizes.mjs'

const stages = process.argv.includes('stages')
const kB = (bytes) => (bytes / 1_000).toFixed(1).padStart(7)
const line = (what, { bytes, gzip }) =>
  console.log(`  ${what.padEnd(32)}${kB(bytes)} kB minified ${kB(gzip)} kB gzip`)

for (const [what, contents] of Object.entries(ENTRIES)) {
  const { first, later, all } = await sizesOf(contents)
  console.log(`${what}: ${contents}`)
  line('with the page', first)
  if (stages)
    for (const [stage, bytes] of Object.entries(first.stages).sort(([, a], [, b]) => b - a))
      if (bytes > 0) console.log(`    ${stage.padEnd(30)}${kB(bytes)} kB`)
  for (const [part, size] of Object.entries(later)) line(`+ ${part}, when it is needed`, size)
  line('all of it', all)
}
