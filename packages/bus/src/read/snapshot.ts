/**
 * Snapshots of views: what of a state stands, written to the log now and then, so that the next view
 * need not read what is in it. The state is value text, as data of events is; one that cannot be is
 * told once, and the view does without.
 */
import type { ValueText } from '../codec/codec.ts'
import { BusError, toBusError } from '../errors.ts'
import type { LogState } from '../log/log.ts'
import { isAmount, isCount, isList, isName, isObject } from '../protocol/checks.ts'
import { type Point, stands } from './point.ts'
import type { ViewableLog } from './steady-log.ts'
import type { View } from './view.ts'

export interface Codec {
  /** @throws {BusError} invalid_data */
  readonly encode: (state: unknown, name: string) => ValueText
  /** @throws {BusError} invalid_data */
  readonly decode: (text: string, encoding: 'devalue' | undefined, name: string) => unknown
}

/** Characters of a state at most. */
const MAX_TEXT = 1_048_576

/** What stands before the state's text, on a line of its own. */
interface Head {
  readonly version: number
  readonly encoding?: 'devalue'
  readonly point: Point
}

/** Begins a view with its snapshot, where there is one that holds. */
export async function begin(
  view: View,
  log: ViewableLog,
  state: LogState,
  codec: Codec,
  report: (error: BusError) => void,
): Promise<void> {
  const text = view.name === undefined ? undefined : await log.snapshot(view.name)
  if (text === undefined) return
  try {
    const { version, encoding, point } = headOf(text)
    const body = text.slice(text.indexOf('\n') + 1)
    if (version === view.version && stands(point, state)) {
      view.begin(codec.decode(body, encoding, view.key as string), point)
    }
    // One that is of no use is not in the way of the next.
    view.kept = point.through
  } catch (cause) {
    const what = `the snapshot of view ${view.key} cannot be read`
    report(new BusError('log_damaged', what, { stage: 'read', cause }))
  }
}

/** Keeps what stands of a view up to a point, unless somebody has done so since it was last kept. */
export async function keep(
  view: View,
  point: Point,
  log: ViewableLog,
  codec: Codec,
  report: (error: BusError) => void,
): Promise<void> {
  const { name, key = '', version, kept } = view
  view.kept = point.through
  view.folded = 0
  if (name === undefined) return
  try {
    // In this task: what is folded meanwhile is not of this point.
    const { text, encoding } = textOf(view, codec)
    const other = await log.snapshot(name).then(readHead)
    const newer = other?.version === version && other.point.through > kept
    if (newer && other.point.device === point.device) return
    const head: Head = { version, ...(encoding && { encoding }), point }
    await log.keepSnapshot(name, `${JSON.stringify(head)}\n${text}`)
  } catch (cause) {
    const error = toBusError(cause, 'log_failed', `view ${key} could not be kept`, {
      stage: 'read',
    })
    view.keeps = error.code !== 'invalid_data' && error.code !== 'too_large'
    report(error)
  }
}

function readHead(text: string | undefined): Head | undefined {
  try {
    return text === undefined ? undefined : headOf(text)
  } catch {
    return undefined
  }
}

function headOf(text: string): Head {
  const head: unknown = JSON.parse(text.slice(0, text.indexOf('\n')))
  const point = isObject(head) ? head['point'] : undefined
  const whole =
    isObject(point) &&
    isCount(point['through']) &&
    isCount(point['rest']) &&
    isAmount(point['confirmed']) &&
    isName(point['device']) &&
    isList(point['cuts'], MAX_CUTS)
  if (!whole) throw new BusError('log_damaged', 'this is no snapshot')
  return head as unknown as Head
}

/** More than a log has. */
const MAX_CUTS = 1_000

/** @throws {BusError} invalid_data, too_large */
function textOf({ base, key = '' }: View, codec: Codec): ValueText {
  const what = `no snapshots of view ${key}: its state`
  let state: ValueText
  try {
    state = codec.encode(base, key)
  } catch (cause) {
    throw new BusError('invalid_data', `${what} is not what data may be`, { stage: 'read', cause })
  }
  if (state.text.length <= MAX_TEXT) return state
  throw new BusError('too_large', `${what} is over ${MAX_TEXT} characters`, { stage: 'read' })
}
