/** The views of the panel, in the order of their tabs. */
import { LogView } from './log/log-view.tsx'
import type { View } from './view.ts'

export const views: readonly View[] = [
  { id: 'log', label: 'Log', key: '1', detail: true, Component: LogView },
]
