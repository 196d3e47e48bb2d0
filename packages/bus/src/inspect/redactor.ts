/**
 * What of its events a bus does not tell. Made by `inspection`, so that a page that hides nothing
 * loads nothing of it.
 */
export interface Redactor {
  /** Whether the value at these names in the data of an event of the type is hidden. */
  hides(type: string, names: readonly string[]): boolean
  /** The same for what was made of events: anything that has the name of something hidden. */
  hidesName(names: readonly string[]): boolean
  /** A copy of data without what is hidden, and how many values that is. */
  without(type: string, data: unknown): { readonly data: unknown; readonly redacted: number }
  /** A header's JSON text without what is hidden of its metadata. */
  header(text: string, type: string): string
  /** What is told of an error. */
  readonly message?: ((error: unknown) => string) | undefined
}
