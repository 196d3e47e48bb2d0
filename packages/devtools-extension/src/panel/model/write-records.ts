/** Makes a record of a span again, for some of the events it names. */
import { type Ids, type InspectRecord, packIds } from '@crosstown/bus/inspect'
import { idOf } from './store/ids.ts'
import type { Facet, Spans } from './store/spans.ts'

/** Some of the events that a span names. */
export interface Named {
  readonly span: number
  /** Of their ids; an id without a counter is one itself. */
  readonly prefix: string
  /** Which of the span's ids, ascending. */
  readonly places: number[]
}

/** The records of it: several where events do not stand next to each other, and that matters. */
export function recordsOf(spans: Spans, { span, prefix, places }: Named): InspectRecord[] {
  // Where the events stand in their log is told by where they stand in the record.
  if (spans.facet(span).is === 'committed') {
    return [recordOf(spans, span, prefix, all(spans.countOf(span)))]
  }
  const parts = spans.facet(span).is === 'confirmed' ? neighbours(places) : [places]
  return parts.map((part) => recordOf(spans, span, prefix, part))
}

function neighbours(places: readonly number[]): number[][] {
  const parts: number[][] = []
  for (const place of places) {
    const last = parts.at(-1)
    if (last && last.at(-1) === place - 1) last.push(place)
    else parts.push([place])
  }
  return parts
}

function recordOf(
  spans: Spans,
  span: number,
  prefix: string,
  places: readonly number[],
): InspectRecord {
  const facet = spans.facet(span)
  const at = spans.at(span)
  const num = spans.num(span)
  const [first = 0] = places
  const counter = spans.firstOf(span)
  const packed = packIds(places.map((place) => idOf(prefix, counter === 0 ? 0 : counter + place)))
  const ms = (place: number) => spans.value(span, place)
  switch (facet.is) {
    case 'committed':
      return { at, is: 'committed', batch: num ?? 0, ids: packed, ms: zero(ms(first)) }
    case 'posted':
      return { at, is: 'posted', via: facet.via!, ids: packed, bytes: num ?? 0, ...to(facet.to) }
    case 'confirmed':
      return {
        at,
        is: 'confirmed',
        ids: packed,
        ...(facet.detail === undefined ? {} : { epoch: facet.detail }),
        ...(num === undefined ? {} : { place: num + spans.index(span, first) }),
      }
    case 'received':
      return {
        at,
        is: 'received',
        via: facet.via!,
        origin: facet.origin!,
        ids: packed,
        ...(facet.from === undefined ? {} : { from: facet.from }),
      }
    case 'matched':
      return { at, is: 'matched', ids: packed, subs: facet.subs! }
    case 'handled':
      return {
        at,
        is: 'handled',
        sub: facet.sub!,
        ids: packed,
        ms: places.map((place) => zero(ms(place))),
      }
    default:
      return troubleOf(facet, at, packed, num, ms(first))
  }
}

function troubleOf(
  facet: Facet,
  at: number,
  ids: Ids,
  num: number | undefined,
  ms: number,
): InspectRecord {
  const sub = facet.sub === undefined ? {} : { sub: facet.sub }
  type Of<Is extends InspectRecord['is']> = Extract<InspectRecord, { is: Is }>
  switch (facet.is) {
    case 'failed':
      return {
        at,
        is: 'failed',
        ids,
        stage: facet.stage as Of<'failed'>['stage'],
        code: facet.code as Of<'failed'>['code'],
        message: facet.detail ?? '',
        ...sub,
        ...(Number.isNaN(ms) ? {} : { ms }),
      }
    case 'retried':
      return { at, is: 'retried', ids, attempt: num ?? 0, ...sub }
    case 'refused':
      return {
        at,
        is: 'refused',
        ids,
        code: facet.code as Of<'refused'>['code'],
        final: facet.final === true,
      }
    case 'dropped':
      return {
        at,
        is: 'dropped',
        ids,
        count: num ?? 0,
        why: facet.why as Of<'dropped'>['why'],
        ...sub,
        ...to(facet.to),
      }
    case 'filtered':
      return { at, is: 'filtered', ids, sub: facet.sub!, why: facet.why as Of<'filtered'>['why'] }
    default:
      throw new Error(`a record of kind ${facet.is} is not written so`)
  }
}

function to(to: string | undefined): { readonly to?: string } {
  return to === undefined ? {} : { to }
}

function zero(ms: number): number {
  return Number.isNaN(ms) ? 0 : ms
}

function all(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}
