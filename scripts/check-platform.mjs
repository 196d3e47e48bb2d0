// Only platform.ts of the bus, and that of the relay, touch clock, random numbers and timers. What
// belongs to one runtime is not simulated: it may.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesUnder } from './lib/files.mjs'
import { platformUses } from './lib/platform-rule.mjs'
import { root } from './lib/project.mjs'

const free =
  /^packages\/(bus|edge-relay)\/src\/(platform[.]ts$|testing\/)|^packages\/edge-relay\/src\/(runtimes\/|cli\/|stores\/sqlite[.]ts$)|[.](test|test-d)[.]tsx?$/
const files = filesUnder(['packages/bus/src', 'packages/edge-relay/src']).filter((path) =>
  /[.]tsx?$/.test(path),
)
let found = 0
for (const path of files.filter((path) => !free.test(path))) {
  for (const { line, what } of platformUses(path, readFileSync(join(root, path), 'utf8'))) {
    console.log(`${path}:${line} ${what} (only platform.ts may)`)
    found++
  }
}
console.log(`${files.length} files, ${found} violations`)
process.exitCode = found > 0 || files.length === 0 ? 1 : 0
