/** Terms over data: `data.a.b:42` of an inspector's query. What is hidden fulfils none. */
import type { DataTerm } from './frames.ts'
import { type Hides, lookAt } from './tree.ts'

/** Elements of a list looked at. */
const MAX_ELEMENTS = 10_000

/** Whether a value fulfils all terms. */
export function fulfils(value: unknown, terms: readonly DataTerm[], hides: Hides): boolean {
  return terms.every(({ path, op, value: wanted, not }) => {
    const found = valuesAt(value, path, [], hides)
    return found?.some((one) => compare(one, op, wanted)) === (not !== true)
  })
}

/** The values at a path, of which lists are passed through; `undefined` where one is hidden. */
function valuesAt(
  value: unknown,
  path: readonly string[],
  names: readonly string[],
  hides: Hides,
): unknown[] | undefined {
  if (hides(names)) return undefined
  const [step, ...rest] = path
  if (step === undefined) return [value]
  const values: unknown[] = []
  const isList = (Array.isArray(value) || value instanceof Set) && !/^\d+$/.test(step)
  for (const [, child, name = ''] of lookAt(value, 0, MAX_ELEMENTS).children) {
    if (!isList && name !== step) continue
    const found = valuesAt(child, isList ? path : rest, [...names, name], hides)
    if (!found) return undefined
    values.push(...found)
  }
  return values
}

function compare(value: unknown, op: DataTerm['op'], wanted: string): boolean {
  if (op === ':' || op === '=') {
    const text =
      value instanceof Date
        ? dateText(value)
        : String(typeof value === 'object' && value ? '' : value)
    return op === '=' ? text === wanted : text.toLowerCase().includes(wanted.toLowerCase())
  }
  const [a, b] = [Number(value), numberOf(wanted)]
  if (op === '>') return a > b
  if (op === '>=') return a >= b
  return op === '<' ? a < b : a <= b
}

function dateText(date: Date): string {
  return Number.isNaN(Number(date)) ? '' : date.toISOString()
}

/** A number, or the time of a date. */
function numberOf(text: string): number {
  const number = Number(text)
  return Number.isNaN(number) ? Date.parse(text) : number
}
