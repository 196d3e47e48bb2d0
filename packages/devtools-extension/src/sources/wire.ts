/**
 * What goes between the panel and the pages of its tab: names of ports, and the few words beside the
 * frames themselves. Shared by the panel, the content script and Firefox's router.
 */
import type { InspectFrame } from '@crosstown/bus/inspect'

/** Name of a panel's port to a frame, followed by the panel's name. */
export const PIPE = 'crosstown:pipe:'
/** Name of a panel's port to Firefox's router, followed by its tab and its name. */
export const PANEL = 'crosstown:panel:'

/**
 * A frame to whoever inspects its tab, or to the panel that woke it: it is there. A panel answers
 * `true`, and dials.
 */
export interface Here {
  readonly crosstown: 'here'
  readonly panel?: string
}

/** A panel to the frames of its tab: who is there? Answered `true`, and by a `Here`. */
export interface Wake {
  readonly crosstown: 'wake'
  readonly panel: string
}

/**
 * Over a pipe: a frame's text, or a part of it, all but the last with `more`. From the page first
 * `open`, when this pipe is the one of its part of the tab that carries.
 */
export type PipeMessage = string | { readonly more: string } | { readonly open: true }

/** Between a panel and Firefox's router, which gives each pipe a number. */
export type FromRouter =
  | { readonly pipe: number; readonly opened: true; readonly origin: string | undefined }
  | { readonly pipe: number; readonly message: unknown }
  | { readonly pipe: number; readonly closed: true }
  | { readonly woken: boolean }

export type ToRouter = { readonly pipe: number; readonly message: PipeMessage } | { wake: true }

/** UTF-16 units in a part. As JSON a unit takes up to 6 bytes; browsers take 64 MiB a message. */
const PART_LENGTH = 1_000_000

/** A text as messages small enough for a port. */
export function* partsOf(text: string, length = PART_LENGTH): Generator<PipeMessage> {
  let from = 0
  while (text.length - from > length) {
    const to = from + length - (isHighSurrogate(text.charCodeAt(from + length - 1)) ? 1 : 0)
    yield { more: text.slice(from, to) }
    from = to
  }
  yield from === 0 ? text : text.slice(from)
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00

/** Puts the parts of one pipe together; gives the text when it is whole. */
export class Parts {
  #parts: string[] = []
  #length = 0

  /** @returns `undefined` for a part that is not the last, for anything else, and over the limit. */
  add(message: unknown): string | undefined {
    if (typeof message === 'string') {
      if (this.#length === 0) return message
      const text = this.#length > LONGEST ? undefined : this.#parts.join('') + message
      this.#parts = []
      this.#length = 0
      return text
    }
    const more = (message as { more?: unknown } | null)?.more
    if (typeof more !== 'string') return undefined
    this.#length += more.length
    // What is too long is counted on, so that its end is known and the next text is whole again.
    if (this.#length > LONGEST) this.#parts = []
    else this.#parts.push(more)
    return undefined
  }
}

/** Nothing that a tap sends is as long: its ring is smaller. */
const LONGEST = 64_000_000

type FrameName = InspectFrame['frame']

const FROM_TAPS: ReadonlySet<unknown> = new Set<FrameName>([
  'hello',
  'batch',
  'bye',
  'answer',
  'mismatch',
])
const FROM_INSPECTORS: ReadonlySet<unknown> = new Set<FrameName>([
  'attach',
  'grant',
  'detach',
  'ask',
])

/** Whether a message of the inspect channel is a frame of a tap: only these go up to panels. */
export const isTapFrame = (message: unknown): message is string =>
  typeof message === 'string' && FROM_TAPS.has(frameName(message))

/** Whether a message is a frame of an inspector: only these go down to taps. */
export const isInspectorFrame = (message: unknown): message is string =>
  typeof message === 'string' && FROM_INSPECTORS.has(frameName(message))

/** How taps and inspectors of ours begin; others are read whole. */
const BEGINNING = /^\{"inspect":\d+,"frame":"(\w+)"/

function frameName(text: string): unknown {
  const begun = BEGINNING.exec(text)
  if (begun) return begun[1]
  try {
    return (JSON.parse(text) as { frame?: unknown } | null)?.frame
  } catch {
    return undefined
  }
}

/** How taps of ours begin. */
const NAMED = /^\{"inspect":\d+,"frame":"\w+","peer":"([^"\\]+)"/

/** The peer that a frame names: the very one that is found by who reads all of it. */
export function peerOf(text: string): string | undefined {
  const named = NAMED.exec(text)
  // Of a name that comes twice, however it is spelled, JSON takes the last.
  if (named && !text.includes('"peer"', named[0].length) && !text.includes('\\u')) return named[1]
  try {
    const { peer } = JSON.parse(text) as { peer?: unknown }
    return typeof peer === 'string' ? peer : undefined
  } catch {
    return undefined
  }
}
