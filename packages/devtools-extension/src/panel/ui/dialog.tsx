/** A modal dialog: at the top right below the toolbar, or in the middle. Escape and a click beside it close. */
import { type ReactNode, useEffect, useId, useRef } from 'react'
import { Icon } from './icon.tsx'
import './dialog.css'

interface DialogProps {
  readonly title: string
  readonly place?: 'corner' | 'middle'
  readonly children: ReactNode
  onClose(): void
}

export function Dialog({ title, place = 'corner', children, onClose }: DialogProps): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const element = dialog.current
    if (element && !element.open) element.showModal()
  }, [])

  return (
    <dialog
      ref={dialog}
      className={`dialog dialog-${place}`}
      aria-labelledby={id}
      onClose={onClose}
      onKeyDown={(event) => event.stopPropagation()}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current.close()
      }}
    >
      <div className="dialog-body">
        <div className="dialog-head">
          <h2 id={id} className="grow">
            {title}
          </h2>
          <button
            type="button"
            className="tool"
            aria-label="Close"
            onClick={() => dialog.current?.close()}
          >
            <Icon name="close" />
          </button>
        </div>
        {children}
      </div>
    </dialog>
  )
}
