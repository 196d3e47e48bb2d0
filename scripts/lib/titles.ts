/** What a test file says of what it tests: its titles, and what it calls a suite with. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseSync, Visitor } from 'oxc-parser'

export const root: string = resolve(import.meta.dirname, '../..')

export const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** A call by a name, as `it` and `describe`, with its arguments as they are written. */
export interface Call {
  readonly name: string
  /** Its first argument that is a text; '' where none is. */
  readonly title: string
  readonly args: readonly Argument[]
}

type Argument = Parameters<
  NonNullable<ConstructorParameters<typeof Visitor>[0]['CallExpression']>
>[0]['arguments'][number]

/** All calls of plain names in a file, also by way of `.each(...)` and the like, in order. */
export function callsIn(path: string): Call[] {
  const calls: Call[] = []
  const { program, errors } = parseSync(path, read(path))
  if (errors[0]) throw new Error(`${path}: ${errors[0].message}`)
  const visitor = new Visitor({
    CallExpression({ callee, arguments: args }) {
      // Of `it.each(...)(title, run)` it is the call of what `it.each(...)` gives.
      const each = callee.type === 'CallExpression' ? callee.callee : callee
      const named = each.type === 'MemberExpression' ? each.object : each
      if (named.type !== 'Identifier') return
      const text = args.find((arg) => arg.type === 'Literal' && typeof arg.value === 'string')
      const title = text?.type === 'Literal' ? String(text.value) : ''
      calls.push({ name: named.name, title, args })
    },
  })
  visitor.visit(program)
  return calls
}

/** As a cell of a table; what differs from one case to the next is no part of it. */
export function cellOf(title: string): string {
  return title.replace(/(,( in)?|:)( %[sj])+| \(%[sj]\)/g, '').replaceAll('|', '\\|')
}
