/** Changing a filter's text by its terms, so that what a click does stands where it can be read. */

/** The terms of a text: split at spaces outside of quotes and of regular expressions. */
export function termsOf(text: string): string[] {
  return (
    text.match(/(?:-?[\w.$@]*[:=<>]*)?(?:"(?:\\.|[^"\\])*"?|\/(?:\\.|[^/\\\s])+\/\w*)|\S+/g) ?? []
  )
}

/** Adds a term; one that is there is taken out, and its opposite is replaced. */
export function toggleTerm(text: string, term: string): string {
  const terms = termsOf(text)
  const opposite = term.startsWith('-') ? term.slice(1) : `-${term}`
  const rest = terms.filter((each) => each !== term && each !== opposite)
  if (!terms.includes(term)) rest.push(term)
  return rest.join(' ')
}

/** Puts `after:` and `before:` in place of those there are; without a range takes them out. */
export function withRange(
  text: string,
  range: { readonly after: string; readonly before: string } | undefined,
): string {
  const rest = termsOf(text).filter((term) => !/^(after|before):/.test(term))
  if (range) rest.push(`after:${range.after}`, `before:${range.before}`)
  return rest.join(' ')
}
