// The read models of a run: what each shows at its end, beside the room's order read anew.
import type { Bus, BusEvent, Projection } from '@crosstown/bus'
import type { TestNetwork } from '@crosstown/bus/testing'
import type { Instance } from './ledger.ts'

/** A list, newest first: a reducer that copies nothing. */
interface Folded {
  readonly line: string
  readonly before: Folded | undefined
}

type View = Projection<Folded | undefined>
type AnyBus<Data> = Bus<Record<string, Data>>

/** What a context shows, and what it was to show. */
export interface Shown {
  readonly instance: Instance
  readonly name: string
  readonly lines: readonly string[]
  readonly expected: readonly string[]
  /** Whether what comes first may be gone from the log. */
  readonly trimmed: boolean
}

/** Views by their patterns: of all, and of some, of which the log keeps snapshots. */
export type Views = ReadonlyMap<string, View>

const fold = (before: Folded | undefined, event: BusEvent): Folded => ({
  line: lineOf(event),
  before,
})

export function openViews<Data>(bus: AnyBus<Data>): Views {
  return new Map<string, View>([
    ['**', bus.project('**', fold, undefined)],
    ['fact.*', bus.project('fact.*', fold, undefined, { key: 'facts' })],
  ])
}

/** @param trimmed whether logs keep few events only */
export async function shownBy<Data>(
  network: TestNetwork,
  places: readonly {
    readonly bus: AnyBus<Data>
    readonly views?: Views
    readonly instance: Instance
  }[],
  trimmed: boolean,
): Promise<Shown[]> {
  const shown: Shown[] = []
  for (const { bus, views, instance } of places) {
    for (const [pattern, view] of views ?? []) {
      // Nobody publishes any more, so that neither changes meanwhile.
      const expected = await network.until(inRoomOrder(bus, pattern))
      const lines: string[] = []
      for (let at = view.get(); at; at = at.before) lines.unshift(at.line)
      shown.push({ instance, name: pattern, lines, expected, trimmed })
    }
  }
  return shown
}

async function inRoomOrder<Data>(bus: AnyBus<Data>, pattern: string): Promise<string[]> {
  const lines: string[] = []
  for await (const event of bus.replay({ order: 'room', pattern })) lines.push(lineOf(event))
  return lines
}

/** Which event, and where: one that is pending is folded as one. */
function lineOf({ id, position }: BusEvent): string {
  return position === undefined ? `${id} nowhere` : `${id} at ${position}`
}
