import type { DataTerm } from './frames.ts'

/**
 * What of an event never leaves this context. Made by `inspection`, so that a page that redacts
 * nothing loads nothing of it.
 */
export interface Redactor {
  /** Whether the value at this path of the data, or of a view's state, is not shown. */
  hides(type: string, path: readonly (string | number)[]): boolean
  /** A header's JSON text without what is hidden of its metadata. */
  header(text: string, type: string): string
  /** What is told of an error. */
  readonly message?: ((error: unknown) => string) | undefined
  /** Types whose events a view is made of: what any of them hides, the view does. */
  hidesIn(patterns: readonly string[], path: readonly (string | number)[]): boolean
}

export type SearchTerm = DataTerm
