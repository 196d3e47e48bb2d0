/** Which key does what. One table: the keyboard, the help overlay and the tests read it. */

export type Command =
  | 'filter'
  | 'queries'
  | 'back'
  | 'down'
  | 'up'
  | 'page-down'
  | 'page-up'
  | 'top'
  | 'tail'
  | 'detail'
  | 'chain-back'
  | 'chain-on'
  | 'error-next'
  | 'error-back'
  | 'pause'
  | 'record'
  | 'clear'
  | 'copy'
  | 'publish'
  | 'mark'
  | 'compare'
  | 'menu'
  | 'select-all'
  | 'help'
  | `view-${number}`

/**
 * Where the focus is. Single letters are commands only in the `view` and its `grid`: nowhere where
 * somebody types, and nowhere where a screen reader's user would not expect them.
 */
export type Focus = 'grid' | 'view' | 'field' | 'elsewhere'

interface KeyLine {
  readonly command: Command
  readonly keys: readonly string[]
  readonly label: string
  readonly group: 'Rows' | 'Events' | 'Panel'
  /** `grid`: only there; `view`: there and in the grid; `always`: with Ctrl or Cmd, or where it means nothing else. */
  readonly where: 'grid' | 'view' | 'always'
}

export const KEYS: readonly KeyLine[] = [
  { command: 'down', keys: ['ArrowDown', 'j'], label: 'Next row', group: 'Rows', where: 'grid' },
  { command: 'up', keys: ['ArrowUp', 'k'], label: 'Previous row', group: 'Rows', where: 'grid' },
  {
    command: 'page-down',
    keys: ['PageDown'],
    label: 'One page down',
    group: 'Rows',
    where: 'grid',
  },
  { command: 'page-up', keys: ['PageUp'], label: 'One page up', group: 'Rows', where: 'grid' },
  { command: 'top', keys: ['g', 'Home'], label: 'Oldest row', group: 'Rows', where: 'grid' },
  {
    command: 'tail',
    keys: ['G', 'End'],
    label: 'Newest row, and follow',
    group: 'Rows',
    where: 'grid',
  },
  { command: 'error-next', keys: ['n'], label: 'Next error', group: 'Rows', where: 'grid' },
  { command: 'error-back', keys: ['N'], label: 'Previous error', group: 'Rows', where: 'grid' },
  { command: 'select-all', keys: ['Ctrl+a'], label: 'Select all', group: 'Rows', where: 'grid' },
  { command: 'detail', keys: ['Enter'], label: 'Show detail', group: 'Events', where: 'grid' },
  {
    command: 'chain-back',
    keys: ['['],
    label: 'Cause, or the event before in its chain',
    group: 'Events',
    where: 'grid',
  },
  {
    command: 'chain-on',
    keys: [']'],
    label: 'Effect, or the event after in its chain',
    group: 'Events',
    where: 'grid',
  },
  { command: 'copy', keys: ['c'], label: 'Copy as …', group: 'Events', where: 'grid' },
  { command: 'mark', keys: ['m'], label: 'Mark to compare', group: 'Events', where: 'grid' },
  {
    command: 'compare',
    keys: ['d'],
    label: 'Compare with the marked event',
    group: 'Events',
    where: 'grid',
  },
  {
    command: 'menu',
    keys: ['Shift+F10', 'ContextMenu'],
    label: 'Menu of the row',
    group: 'Events',
    where: 'grid',
  },
  { command: 'publish', keys: ['p'], label: 'Publish an event', group: 'Events', where: 'view' },
  {
    command: 'filter',
    keys: ['/', 'Ctrl+f'],
    label: 'Filter',
    group: 'Panel',
    where: 'view',
  },
  { command: 'queries', keys: ['s'], label: 'Saved queries', group: 'Panel', where: 'view' },
  {
    command: 'back',
    keys: ['Escape'],
    label: 'Back: close, then clear',
    group: 'Panel',
    where: 'always',
  },
  { command: 'pause', keys: ['Space'], label: 'Pause the list', group: 'Panel', where: 'grid' },
  { command: 'record', keys: ['r', 'Ctrl+e'], label: 'Record', group: 'Panel', where: 'view' },
  { command: 'clear', keys: ['Ctrl+k'], label: 'Clear', group: 'Panel', where: 'always' },
  { command: 'help', keys: ['?'], label: 'This help', group: 'Panel', where: 'view' },
]

export interface KeyPress {
  readonly key: string
  readonly ctrlKey?: boolean
  readonly metaKey?: boolean
  readonly altKey?: boolean
  readonly shiftKey?: boolean
}

/** The command of a key press, where it has one. */
export function commandOf(press: KeyPress, focus: Focus): Command | undefined {
  if (press.altKey) return undefined
  const name = nameOf(press)
  const withControl = name.startsWith('Ctrl+')
  for (const line of KEYS) {
    if (!line.keys.includes(name)) continue
    if (line.where === 'always') return line.command
    if (focus === 'grid') return line.command
    if (line.where === 'view' && (focus === 'view' || withControl)) return line.command
  }
  if (/^[1-9]$/.test(name) && (focus === 'grid' || focus === 'view')) return `view-${Number(name)}`
  return undefined
}

function nameOf({ key, ctrlKey, metaKey, shiftKey }: KeyPress): string {
  if (ctrlKey || metaKey) return `Ctrl+${key.toLowerCase()}`
  if (key === ' ') return 'Space'
  // A shifted letter or sign is another one already.
  return shiftKey && key.length > 1 ? `Shift+${key}` : key
}

/** How a key is written in the help overlay. */
export function keyLabel(key: string): string {
  return key
    .replace('ArrowDown', '↓')
    .replace('ArrowUp', '↑')
    .replace('PageDown', 'Page ↓')
    .replace('PageUp', 'Page ↑')
    .replace('Escape', 'Esc')
    .replace('ContextMenu', '☰')
    .replace(/\+([a-z])$/, (_, letter: string) => `+${letter.toUpperCase()}`)
}
