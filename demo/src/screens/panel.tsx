import type { ReactNode } from 'react'

interface PanelProps {
  id: string
  title: string
  /** Beside the title. */
  aside?: ReactNode
  children: ReactNode
}

/** One screen: a titled region. */
export function Panel({ id, title, aside, children }: PanelProps) {
  return (
    <section className="panel" id={id} aria-labelledby={`${id}-title`}>
      <header className="panel-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  )
}

interface EmptyProps {
  icon: ReactNode
  id: string
  children: ReactNode
}

/** What a screen shows while it has nothing to show. */
export function Empty({ icon, id, children }: EmptyProps) {
  return (
    <div className="empty" data-testid={id}>
      {icon}
      <p>{children}</p>
    </div>
  )
}
