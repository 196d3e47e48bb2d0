// Preloaded into servers that are measured (`node --import`): says what they cost so far. The server
// itself knows nothing of it, so that what is measured is what is shipped.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { exposeGarbageCollector } from './garbage.mjs'

/** Only where it is asked for: it costs a timer. */
let loop

process.on('message', (what) => {
  if (what === 'memory') {
    exposeGarbageCollector()
    globalThis.gc()
  }
  const stallMs = (loop?.max ?? 0) / 1e6
  if (what === 'stall') {
    loop?.disable()
    // By the millisecond, from now until it is asked for again.
    loop = monitorEventLoopDelay({ resolution: 1 })
    loop.enable()
  }
  const { user, system } = process.cpuUsage()
  process.send({
    cpuMs: (user + system) / 1_000,
    residentBytes: process.memoryUsage.rss(),
    stallMs,
  })
})
// The server ends as it would without.
process.channel?.unref()
