/** What went wrong and nobody awaited: shown to the user, in words. */
import type { BusError, ErrorContext, Gap } from '@crosstown/bus'
import { createStore } from './store.ts'

export interface Notice {
  readonly id: number
  readonly code: string
  readonly words: string
}

const MAX_NOTICES = 3
let last = 0

export const notices = createStore<readonly Notice[]>([])

function note(code: string, words: string): void {
  // The same again would say nothing new.
  const others = notices.get().filter((notice) => notice.words !== words)
  last += 1
  notices.set([{ id: last, code, words }, ...others].slice(0, MAX_NOTICES))
}

export function noteProblem(error: BusError, { stage }: ErrorContext): void {
  console.error(`[shop] [${stage}] ${error.code}: ${error.message}`, error.cause ?? '')
  note(error.code, error.message)
}

export function noteGap({ reason }: Gap): void {
  note(reason, 'Some of what happened in this room while this device was away cannot be had again.')
}

export function dismiss(id: number): void {
  notices.set(notices.get().filter((notice) => notice.id !== id))
}
