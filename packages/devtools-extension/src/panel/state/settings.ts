/**
 * What the panel remembers between visits. Read from a storage that others can write to as well: each
 * field that is not as it should be has its default.
 */
import type { PanelStorage } from '../env.ts'
import { parseQueries, type SavedQuery } from './queries.ts'
import { createStore, type Store } from './store.ts'

export const COLUMN_IDS = [
  'time',
  'direction',
  'type',
  'data',
  'from',
  'to',
  'delivered',
  'duration',
  'size',
  'latency',
  'stream',
  'state',
] as const
export type ColumnId = (typeof COLUMN_IDS)[number]

export type TimeFormat = 'clock' | 'delta' | 'elapsed'
export type Theme = 'auto' | 'light' | 'dark'

export interface Settings {
  readonly theme: Theme
  readonly time: TimeFormat
  /** Hidden columns. */
  readonly hidden: readonly ColumnId[]
  /** Widths that were changed, px. */
  readonly widths: { readonly [column in ColumnId]?: number }
  /** The log stays at its newest row. */
  readonly follow: boolean
  /** Rows are kept when the inspected page navigates. */
  readonly preserve: boolean
  readonly minimap: boolean
  /** The view that was shown last. */
  readonly view: string
  readonly detail: {
    readonly open: boolean
    /** px, where it stands at the right and below. */
    readonly width: number
    readonly height: number
    readonly tab: string
  }
  /** Of the relay that was connected last; its token is never kept. */
  readonly relay: { readonly url: string; readonly room: string }
  readonly queries: readonly SavedQuery[]
}

export const DEFAULT_SETTINGS: Settings = {
  theme: 'auto',
  time: 'clock',
  hidden: ['latency', 'stream', 'state'],
  widths: {},
  follow: true,
  preserve: true,
  minimap: true,
  view: 'log',
  detail: { open: true, width: 380, height: 220, tab: 'payload' },
  relay: { url: '', room: '' },
  queries: [],
}

export type SettingsStore = Store<Settings>

export const SETTINGS_KEY = 'crosstown:panel'
const MIN_COLUMN = 32
const MAX_SIZE = 4000
const MAX_TEXT = 2048

/** The settings behind a text; what cannot be read of it is as by default. */
export function parseSettings(text: string | undefined): Settings {
  let kept: unknown
  try {
    kept = text === undefined ? undefined : JSON.parse(text)
  } catch {
    kept = undefined
  }
  const from = record(kept)
  const detail = record(from['detail'])
  const relay = record(from['relay'])
  const { detail: plainDetail, relay: plainRelay, ...plain } = DEFAULT_SETTINGS
  return {
    theme: oneOf(from['theme'], ['auto', 'light', 'dark'], plain.theme),
    time: oneOf(from['time'], ['clock', 'delta', 'elapsed'], plain.time),
    hidden: Array.isArray(from['hidden'])
      ? COLUMN_IDS.filter((id) => id !== 'type' && (from['hidden'] as unknown[]).includes(id))
      : plain.hidden,
    widths: widths(from['widths']),
    follow: flag(from['follow'], plain.follow),
    preserve: flag(from['preserve'], plain.preserve),
    minimap: flag(from['minimap'], plain.minimap),
    view: short(from['view'], plain.view),
    detail: {
      open: flag(detail['open'], plainDetail.open),
      width: size(detail['width'], 160) ?? plainDetail.width,
      height: size(detail['height'], 80) ?? plainDetail.height,
      tab: short(detail['tab'], plainDetail.tab),
    },
    relay: {
      url: short(relay['url'], plainRelay.url),
      room: short(relay['room'], plainRelay.room),
    },
    queries: parseQueries(from['queries']),
  }
}

/** Settings that are read once and written whenever they change. */
export async function openSettings(storage: PanelStorage): Promise<SettingsStore> {
  // A storage that fails costs the memory of the settings, not the panel.
  const text = await storage.read(SETTINGS_KEY).catch(() => undefined)
  const store = createStore(parseSettings(text))
  store.subscribe(() => {
    storage.write(SETTINGS_KEY, JSON.stringify(store.get())).catch(() => {})
  })
  return store
}

function record(value: unknown): { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as { readonly [key: string]: unknown })
    : {}
}

function oneOf<Value extends string>(
  value: unknown,
  values: readonly Value[],
  otherwise: Value,
): Value {
  return values.find((known) => known === value) ?? otherwise
}

function flag(value: unknown, otherwise: boolean): boolean {
  return typeof value === 'boolean' ? value : otherwise
}

function short(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value.length <= MAX_TEXT ? value : otherwise
}

function size(value: unknown, least: number): number | undefined {
  return typeof value === 'number' && value >= least && value <= MAX_SIZE
    ? Math.round(value)
    : undefined
}

function widths(value: unknown): Settings['widths'] {
  const from = record(value)
  const kept: { [column in ColumnId]?: number } = {}
  for (const id of COLUMN_IDS) {
    const width = Object.hasOwn(from, id) ? size(from[id], MIN_COLUMN) : undefined
    if (width !== undefined) kept[id] = width
  }
  return kept
}
