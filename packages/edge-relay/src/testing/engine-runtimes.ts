/** Relays on Node over an engine of their own, either of which can be killed. */
import { readStored } from './engine-readers.ts'
import {
  type EngineServer,
  type StartEngine,
  startNats,
  startPostgres,
  startRedis,
} from './engine-servers.ts'
import type { Flags, RelayProcessHandle } from './relay-handle.ts'
import { RUNTIMES, type Runtime } from './relay-process.ts'

export const ENGINES: readonly Runtime[] = [
  onEngine('PostgreSQL', startPostgres),
  onEngine('Redis', startRedis),
  onEngine('NATS', startNats),
]

interface Running {
  readonly server: EngineServer
  relay?: RelayProcessHandle | undefined
  down?: boolean
}

const running = new Map<string, Running>()

/** Ends the engines that a test left running. */
export async function endEngines(): Promise<void> {
  const servers = [...running.values()].map(({ server }) => server)
  running.clear()
  await Promise.all(servers.map((server) => server.stop()))
}

/** @param start of the engine; its relays are on Node */
export function onEngine(name: string, start: StartEngine | undefined): Runtime {
  return {
    name,
    hasProcesses: true,
    hasEngine: true,
    start: start && ((flags) => open(start, flags)),
  }
}

/** What is kept for a file is kept by an engine of its own; starts what of the two does not run. */
async function open(
  start: StartEngine,
  { file = '', args = [], ...flags }: Flags,
): Promise<RelayProcessHandle> {
  const entry: Running = running.get(file) ?? { server: await start() }
  running.set(file, entry)
  const { server } = entry
  if (entry.down) await server.restart()
  entry.down = false
  const [node] = RUNTIMES as [Runtime]
  const startNode = node.start as NonNullable<Runtime['start']>
  const relay =
    entry.relay ?? (await startNode({ ...flags, args: [...args, '--store', server.url] }))
  entry.relay = relay
  return {
    ...relay,
    async end(signal) {
      entry.relay = undefined
      return relay.end(signal)
    },
    engine: {
      folder: server.folder,
      async kill() {
        entry.down = true
        await server.kill()
      },
      read: (room, type) => readStored(server.url, room, type),
    },
  }
}
