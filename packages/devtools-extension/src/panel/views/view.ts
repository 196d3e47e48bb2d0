/** What a view of the panel is, and what it is given. */
import type { ComponentType } from 'react'
import type { InspectSource } from '../../sources/source.ts'
import type { PanelEnv } from '../env.ts'
import type { Filtered, Hub, Session } from '../model/model.ts'
import type { Selection } from '../state/selection.ts'
import type { SettingsStore } from '../state/settings.ts'
import type { Store } from '../state/store.ts'

export interface View {
  /** In settings and test ids. */
  readonly id: string
  readonly label: string
  /** The key that shows it, `1` to `9`. */
  readonly key: string
  /** Whether the detail pane stands beside it. */
  readonly detail: boolean
  readonly Component: ComponentType<ViewProps>
}

/** What is part of the panel beside its views: a dialog, a banner, a button. */
export type Extra = ComponentType<ViewProps>

export interface ViewProps {
  readonly hub: Hub
  readonly session: Session
  readonly filtered: Filtered
  readonly selection: Selection
  readonly panel: Panel
}

/** What a view may ask of the panel around it. */
export interface Panel {
  readonly env: PanelEnv
  readonly settings: SettingsStore
  /** Shows a view by its id. */
  show(view: string): void
  /** Selects an event wherever it is, and shows its detail. */
  reveal(event: string): void
  /** Shows the detail of what is selected, also where it was closed. */
  detail(): void
  /** Replaces the filter. */
  setFilter(text: string): void
  /** Adds a term to the filter: `type:cart.*`; one that is there already is taken out instead. */
  addTerm(term: string): void
  /** Opens the publish view, with a copy of an event where one is named. */
  publish(copyOf?: string): void
  /** The event that was named; the publish view takes it and sets `undefined`. */
  readonly copyOf: Store<string | undefined>
  /** Whether the dialog is open that compares the current event with the marked one. */
  readonly comparing: Store<boolean>
  /** The list stands still; what is captured meanwhile is shown afterwards. */
  readonly paused: Store<boolean>
  /** The list stays at its newest row. Scrolling up ends it, until somebody asks for it again. */
  readonly following: Store<boolean>
  /** Said once, politely, to a screen reader, and shown for a moment. */
  say(text: string): void
  /** Opens one source more. */
  open(source: InspectSource): void
  /** Copies a text and says so; `what`: `event as JSON`. */
  copy(text: string, what: string): void
}
