// Preloaded into servers that are measured (`node --import`): says what they cost so far. The server
// itself knows nothing of it, so that what is measured is what is shipped.
import { exposeGarbageCollector } from './garbage.mjs'

process.on('message', (what) => {
  if (what === 'memory') {
    exposeGarbageCollector()
    globalThis.gc()
  }
  const { user, system } = process.cpuUsage()
  process.send({ cpuMs: (user + system) / 1_000, residentBytes: process.memoryUsage.rss() })
})
// The server ends as it would without.
process.channel?.unref()
