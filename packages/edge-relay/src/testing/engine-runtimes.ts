/**
 * Relays on Node over an engine of their own, that end as the kill test ends relays: in turn the relay
 * alone, the engine under it, and both at once.
 */
import { type EngineServer, startNats, startPostgres, startRedis } from './engine-servers.ts'
import type { Flags, RelayProcessHandle } from './relay-handle.ts'
import { RUNTIMES, type Runtime } from './relay-process.ts'

export const ENGINES: readonly Runtime[] = [
  onEngine('PostgreSQL', startPostgres),
  onEngine('Redis', startRedis),
  onEngine('NATS', startNats),
]

const ENDS = ['both', 'relay', 'engine'] as const

interface Running {
  readonly server: EngineServer
  relay?: RelayProcessHandle | undefined
  down?: boolean
}

let ends = 0
const running = new Map<string, Running>()

/** Ends the engines that a test left running. */
export async function endEngines(): Promise<void> {
  const servers = [...running.values()].map(({ server }) => server)
  running.clear()
  await Promise.all(servers.map((server) => server.stop()))
}

function onEngine(name: string, start: (() => Promise<EngineServer>) | undefined): Runtime {
  return {
    name,
    hasProcesses: true,
    start: start && ((flags) => open(start, flags)),
  }
}

/** What is kept for a file is kept by an engine of its own. */
async function open(
  start: () => Promise<EngineServer>,
  { file = '', args = [], ...flags }: Flags,
): Promise<RelayProcessHandle> {
  const found = running.get(file)
  const entry: Running = found ?? { server: await start() }
  running.set(file, entry)
  if (entry.down) await entry.server.restart()
  entry.down = false
  const [node] = RUNTIMES as [Runtime]
  const startNode = node.start as NonNullable<Runtime['start']>
  const relay =
    entry.relay ?? (await startNode({ ...flags, args: [...args, '--store', entry.server.url] }))
  entry.relay = relay
  return {
    ...relay,
    async end(signal) {
      if (signal !== 'SIGKILL') return relay.end(signal)
      const what = ENDS[ends % ENDS.length]
      ends += 1
      const ended = what === 'engine' ? null : relay.end(signal)
      if (what !== 'engine') entry.relay = undefined
      if (what !== 'relay') {
        entry.down = true
        await entry.server.kill()
      }
      return ended
    },
  }
}
