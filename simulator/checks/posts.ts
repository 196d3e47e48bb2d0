// Whether the room has what was posted by HTTP as the relay answered.
import { keyOf, type View } from './view.ts'

export function* posts({ ledger, room }: View): Iterable<string> {
  const byKey = Map.groupBy(room.events, ({ data }) => keyOf(data))
  for (const { keys, state, events, losses } of ledger.posts) {
    const here = keys.filter((key) => byKey.has(key))
    if (state === 'pending') yield `the post of ${keys} never came to an end`
    if (state === 'refused' && here.length > 0) yield `${here} was refused and is in the room`
    if (here.length > 0 && here.length < keys.length)
      yield `of the post of ${keys} the room has ${here} only`
    for (const key of here)
      if ((byKey.get(key)?.length ?? 0) > 1) yield `${key} was posted and is twice in the room`
    if (state !== 'taken' || losses !== ledger.losses) continue
    for (const [i, key] of keys.entries()) {
      const answered = events?.[i]
      const found = byKey.get(key)?.[0]
      if (!found && room.came.has(answered?.id ?? '')) continue
      if (found?.position !== answered?.position || found?.id !== answered?.id)
        yield `${key} was posted at ${answered?.position} and stands at ${found?.position}`
    }
  }
}
