/** Data of an event as the text that a room keeps. */
export interface ValueText {
  readonly text: string
  readonly encoding?: 'devalue'
}

/** `undefined` as devalue writes it. */
export const UNDEFINED_TEXT = '-1'

/** A room takes data unopened; what goes into an answer unquoted must not end it or add to it. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
