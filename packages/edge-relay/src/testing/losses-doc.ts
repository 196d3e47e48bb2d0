/** The table of docs/durability.md that says what each setting loses: as promised, and as it was measured. */
import type { LossReport } from './loss-run.ts'
import type { End, Loss, Setting } from './losses.ts'

/** What was measured of a setting; absent where it could not be. */
export type Measured = Partial<Record<End, LossReport>>

export const ENDS: readonly End[] = ['process', 'machine']

const BEGIN = '<!-- losses -->'
const END = '<!-- end of losses -->'
const HEADER = [
  '| engine | setting | relay says | SIGKILL of the engine takes | measured | its machine’s crash takes | measured |',
  '|---|---|---|---|---|---|---|',
]
const WORDS: Readonly<Record<Loss, string>> = {
  nothing: '**nothing**',
  rarely: 'rarely the newest',
  some: 'the newest',
}

/** The cells of a row that are promised, before what was measured. */
export function promisedOf({
  engine,
  setting,
  loses,
  some = WORDS.some,
}: Setting): readonly string[] {
  const says = loses.machine === 'nothing' ? '`disk`' : '`memory`'
  const words = { ...WORDS, some }
  return [engine, setting, says, words[loses.process], words[loses.machine]]
}

/** The rows of the document, each as its cells: those that are promised, then those that were measured. */
export function rowsOf(
  text: string,
): { readonly promised: string[]; readonly measured: string[] }[] {
  const table = text.split(BEGIN)[1]?.split(END)[0] ?? ''
  return table
    .trim()
    .split('\n')
    .slice(HEADER.length)
    .map((line) => {
      const [engine, setting, says, process, tookProcess, machine, tookMachine] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()) as [string, string, string, string, string, string, string]
      return {
        promised: [engine, setting, says, process, machine],
        measured: [tookProcess, tookMachine],
      }
    })
}

/** The document with what was measured now; what was not stays as it is. */
export function withRows(text: string, found: readonly (readonly [Setting, Measured])[]): string {
  const before = rowsOf(text)
  const rows = found.map(([setting, measured]) => {
    const [engine, name, says, process, machine] = promisedOf(setting)
    const known = before.find(({ promised }) => promised[0] === engine && promised[1] === name)
    const [took, tookMachine] = ENDS.map(
      (end, i) => (measured[end] && cellOf(measured[end])) ?? known?.measured[i] ?? 'not measured',
    )
    return `| ${[engine, name, says, process, took, machine, tookMachine].join(' | ')} |`
  })
  const table = [...HEADER, ...rows].join('\n')
  const [head = '', rest = ''] = text.split(BEGIN)
  return `${head}${BEGIN}\n\n${table}\n\n${END}${rest.split(END)[1] ?? ''}`
}

/** As `12 of 340 within 0.2 s`. */
export function cellOf({ confirmed, lost, withinMs, starts }: LossReport): string {
  const within = lost > 0 ? ` within ${(withinMs / 1_000).toFixed(1)} s` : ''
  return `${lost} of ${confirmed}${starts ? within : ': it does not start again'}`
}
