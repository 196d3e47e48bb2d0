/** The views of the panel, in the order of their tabs. */
import { LogView } from './log/log-view.tsx'
import type { Extra, View } from './view.ts'

export const views: readonly View[] = [
  { id: 'log', label: 'Log', key: '1', detail: true, Component: LogView },
]

/** Above the view: banners that must be seen, a place to drop files on. */
export const banners: readonly Extra[] = []

/** Buttons at the end of the toolbar, with the dialogs they open. */
export const tools: readonly Extra[] = []
