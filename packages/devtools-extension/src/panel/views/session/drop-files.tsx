/** Session files can be dropped anywhere on the panel; what comes of that is said above the view. */
import { type ReactNode, useEffect, useState } from 'react'
import { useStore } from '../../state/store.ts'
import { Icon } from '../../ui/icon.tsx'
import { share } from '../shared/format.ts'
import { Notice } from '../shared/notice.tsx'
import type { ViewProps } from '../view.ts'
import { dismissImport, importFiles, importOf } from './importer.ts'
import './session.css'

const holdsFiles = ({ dataTransfer }: DragEvent): boolean =>
  dataTransfer?.types.includes('Files') ?? false

export function DropFiles({ hub, panel }: ViewProps): ReactNode {
  const state = useStore(importOf(hub))
  const [over, setOver] = useState(false)
  useEffect(() => {
    // Of the panel's elements each is entered and left; the panel is left when all are.
    let within = 0
    const enter = (event: DragEvent) => {
      if (!holdsFiles(event)) return
      within++
      setOver(true)
    }
    const leave = (event: DragEvent) => {
      if (!holdsFiles(event)) return
      within = Math.max(0, within - 1)
      if (within === 0) setOver(false)
    }
    const hover = (event: DragEvent) => {
      // Without this the browser would show the file in place of the panel.
      if (holdsFiles(event)) event.preventDefault()
    }
    const drop = (event: DragEvent) => {
      if (!holdsFiles(event)) return
      event.preventDefault()
      within = 0
      setOver(false)
      const files = [...(event.dataTransfer?.files ?? [])]
      if (files.length > 0) importFiles(hub, panel, files)
    }
    const listening = { dragenter: enter, dragleave: leave, dragover: hover, drop }
    for (const [type, listener] of Object.entries(listening))
      window.addEventListener(type, listener as EventListener)
    return () => {
      for (const [type, listener] of Object.entries(listening))
        window.removeEventListener(type, listener as EventListener)
    }
  }, [hub, panel])

  return (
    <>
      {over && (
        <div className="drop-here" aria-hidden="true">
          <Icon name="import" />
          Drop to open the session
        </div>
      )}
      {state.is === 'reading' && (
        <Notice live>
          <p className="import-line">
            <span className="grow">
              Checking {state.name}: {share(state.share, 1)}
            </span>
            <progress value={state.share} max={1} aria-label={`Checking ${state.name}`} />
            <button type="button" className="button" onClick={() => dismissImport(hub)}>
              Cancel
            </button>
          </p>
        </Notice>
      )}
      {state.is === 'failed' && (
        <Notice severity="error" live>
          <p className="import-line">
            <span className="grow">
              <strong>{state.name}</strong> was not opened, and nothing of it is shown.{' '}
              {state.words}
            </span>
            <button type="button" className="button" onClick={() => dismissImport(hub)}>
              Dismiss
            </button>
          </p>
        </Notice>
      )}
    </>
  )
}
