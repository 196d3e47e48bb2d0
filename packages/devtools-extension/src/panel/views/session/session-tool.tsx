/** The button of the toolbar that opens the dialog for session files. */
import { type ReactNode, useState } from 'react'
import { Icon } from '../../ui/icon.tsx'
import type { ViewProps } from '../view.ts'
import './session.css'
import { SessionDialog } from './session-dialog.tsx'

export function SessionTool(props: ViewProps): ReactNode {
  const [open, setOpen] = useState(false)
  return (
    <>
      <button
        type="button"
        className="tool"
        aria-label="Session: export, import, marks"
        title="Export, import, marks"
        onClick={() => setOpen(true)}
      >
        <Icon name="export" />
      </button>
      {open && <SessionDialog {...props} onClose={() => setOpen(false)} />}
    </>
  )
}
