// npm test: installs what is needed, then runs every check and every test.
//   npm test                 everything
//   npm test -- lint unit    phases by name (see lib/phases.mjs)
//   npm test -- trie         the tests whose file or title says so
import { gate } from './lib/gate.mjs'

await gate({ filter: process.argv.slice(2) })
