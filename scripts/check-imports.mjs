// The import rules of .dependency-cruiser.mjs, over everything that is written here.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { checkImports } from './lib/cruiser.mjs'
import { root } from './lib/project.mjs'

const folders = [
  'packages/bus/src',
  'packages/edge-relay/src',
  'packages/devtools-extension/src',
  'demo',
  'e2e',
  'bench',
  'scripts',
  'simulator',
]
const present = folders.filter((folder) => existsSync(join(root, folder)))
const { violations, modules } = await checkImports(root, present)
for (const { rule, from, to } of violations) console.log(`${rule}: ${from} -> ${to}`)
console.log(`${modules.length} modules, ${violations.length} violations`)
process.exitCode = violations.length > 0 || modules.length === 0 ? 1 : 0
