// What an application does where the relay refuses it, as another user is signed in by now: it
// clears the log, or connects again where the log is that of the user who is back.
import type { TestContext } from '@crosstown/bus/testing'
import { clearPlace, NAME, type Place, ROOM } from './place.ts'

export interface ReadmitOptions {
  /** Who is signed in where a context lives. */
  readonly userOf: (place: Place) => string
  /** Is told what was asked for, and takes its time. */
  readonly follow: (promise: Promise<unknown>, context: TestContext) => void
}

/** Of the contexts that share a log one does it for all: one in which the log is open. */
export async function readmit(
  refused: readonly Place[],
  { userOf, follow }: ReadmitOptions,
): Promise<void> {
  const logs = Map.groupBy(refused, ({ instance }) =>
    instance.memory ? instance : instance.device.disk(NAME, ROOM),
  )
  for (const places of logs.values()) {
    const place = places.find(({ bus }) => bus.status.get().log.state === 'open')
    // Whoever has no log is refused as long as the context is that keeps its events.
    if (!place) continue
    if ((await ownerOf(place)) === userOf(place)) {
      for (const one of places) one.context.resumeRelay()
      continue
    }
    follow(clearPlace(place), place.context)
  }
}

/** Whose the log is, as far as anybody here knows. */
async function ownerOf({ instance }: Place): Promise<string | undefined> {
  if (instance.memory) return instance.owner
  const { room } = await instance.device.disk(NAME, ROOM).log.state()
  return room.subject
}
