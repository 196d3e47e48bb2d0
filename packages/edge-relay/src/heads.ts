/** Heads of streams, read from the store when a command has events of them, and then remembered. */
import type { RoomState } from './commands.ts'
import type { Waiting } from './known.ts'
import { readHead, STREAM_KEY } from './revisions.ts'
import type { Store } from './stores/store.ts'

/** Streams remembered of a room; past it, they are read anew. */
const MAX_STREAMS = 10_000

/** Puts into the state what these commands need; a promise only where something must be read. */
export function loadHeads(
  store: Store,
  room: string,
  { streams }: RoomState,
  commands: readonly Waiting[],
): Promise<void> | undefined {
  if (streams.size > MAX_STREAMS) streams.clear()
  const missing = new Set<string>()
  for (const command of commands) {
    if (command.kind === 'publish') {
      for (const { stream } of command.frame.events) add(stream)
    } else if (command.kind === 'post') for (const { header } of command.events) add(header.stream)
  }
  if (missing.size === 0) return undefined
  const names = [...missing]
  const keys = names.map((name) => STREAM_KEY + name)
  return store.state(room, keys).then((texts) => {
    for (const [i, name] of names.entries()) {
      const text = texts[i]
      streams.set(name, text === undefined ? undefined : readHead(text))
    }
  })

  function add(stream: string | undefined): void {
    if (stream !== undefined && !streams.has(stream)) missing.add(stream)
  }
}
