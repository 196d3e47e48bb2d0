import type { ReactNode } from 'react'
import {
  DEFAULT_SETTINGS,
  type SettingsStore,
  type Theme,
  type TimeFormat,
} from '../state/settings.ts'
import { useStore } from '../state/store.ts'
import { Dialog } from '../ui/dialog.tsx'
import { COLUMNS, isSized, widthOf } from '../views/log/columns.ts'
import { setWidth, toggleColumn } from '../views/log/log-head.tsx'

const THEMES: Readonly<Record<Theme, string>> = {
  auto: 'As DevTools, or the system',
  light: 'Light',
  dark: 'Dark',
}
const TIMES: Readonly<Record<TimeFormat, string>> = {
  clock: 'Time of day',
  delta: 'Since the row above',
  elapsed: 'Since the first row',
}

interface SettingsDialogProps {
  readonly settings: SettingsStore
  onClose(): void
}

export function SettingsDialog({ settings, onClose }: SettingsDialogProps): ReactNode {
  const now = useStore(settings)
  return (
    <Dialog title="Settings" onClose={onClose}>
      <div className="form-line">
        <label className="form-label" htmlFor="settings-theme">
          Theme
        </label>
        <select
          id="settings-theme"
          className="input"
          value={now.theme}
          onChange={(event) => settings.set({ ...now, theme: event.target.value as Theme })}
        >
          {Object.entries(THEMES).map(([theme, label]) => (
            <option key={theme} value={theme}>
              {label}
            </option>
          ))}
        </select>
      </div>
      <div className="form-line">
        <label className="form-label" htmlFor="settings-time">
          Time
        </label>
        <select
          id="settings-time"
          className="input"
          value={now.time}
          onChange={(event) => settings.set({ ...now, time: event.target.value as TimeFormat })}
        >
          {Object.entries(TIMES).map(([format, label]) => (
            <option key={format} value={format}>
              {label}
            </option>
          ))}
        </select>
      </div>
      <Switch
        label="Show the minimap"
        on={now.minimap}
        onSwitch={(minimap) => settings.set({ ...now, minimap })}
      />
      <Switch
        label="Show the detail of the selected event"
        on={now.detail.open}
        onSwitch={(open) => settings.set({ ...now, detail: { ...now.detail, open } })}
      />
      <section className="form-section">
        <h3>Columns of the log</h3>
        <div className="column-settings">
          {COLUMNS.map((column) => {
            const shown = !now.hidden.includes(column.id)
            return (
              <div key={column.id} className="form-line">
                <label className="switch grow" title={column.title}>
                  <input
                    type="checkbox"
                    checked={shown}
                    disabled={column.leaves === 0}
                    onChange={() => toggleColumn(settings, column.id)}
                  />
                  {column.label}
                </label>
                {isSized(column) ? (
                  <input
                    type="number"
                    className="input"
                    aria-label={`Width of ${column.label}, pixels`}
                    min={32}
                    max={600}
                    step={2}
                    disabled={!shown}
                    value={widthOf(column, now)}
                    onChange={(event) => setWidth(settings, column.id, event.target.valueAsNumber)}
                  />
                ) : (
                  <span className="hint">the rest</span>
                )}
              </div>
            )
          })}
        </div>
      </section>
      <div className="form-line">
        <button
          type="button"
          className="button"
          onClick={() => settings.set({ ...DEFAULT_SETTINGS, queries: now.queries })}
        >
          All as it was at first
        </button>
      </div>
    </Dialog>
  )
}

interface SwitchProps {
  readonly label: string
  readonly on: boolean
  onSwitch(on: boolean): void
}

function Switch({ label, on, onSwitch }: SwitchProps): ReactNode {
  return (
    <label className="switch">
      <input type="checkbox" checked={on} onChange={(event) => onSwitch(event.target.checked)} />
      {label}
    </label>
  )
}
