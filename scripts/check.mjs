// npm run check: the quick gate. No browser, no servers.
import { gate } from './lib/gate.mjs'

await gate({
  only: ['format', 'lint', 'types', 'extension', 'imports', 'platform', 'unit'],
  filter: process.argv.slice(2),
})
