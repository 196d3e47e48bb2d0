/**
 * Whether brackets of a JSON text stand deeper than `most`. It only looks at characters, once: parsers
 * and printers of some runtimes call themselves for each level, and overflow their stack.
 */
export function isNestedOver(text: string, most: number): boolean {
  // Each level takes a character that opens it.
  if (text.length <= most) return false
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === QUOTE) {
      i = endOfText(text, i + 1)
    } else if (char === OPEN_LIST || char === OPEN_OBJECT) {
      depth += 1
      if (depth > most) return true
    } else if (char === CLOSE_LIST || char === CLOSE_OBJECT) depth -= 1
  }
  return false
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Where the quote stands that ends a text, or the end of everything. */
function endOfText(text: string, from: number): number {
  let end = text.indexOf('"', from)
  while (end >= 0) {
    let escapes = 0
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes += 1
    if (escapes % 2 === 0) return end
    end = text.indexOf('"', end + 1)
  }
  return text.length
}
