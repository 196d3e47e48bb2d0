import type { ReactNode } from 'react'

interface EmptyProps {
  icon: ReactNode
  id: string
  title: string
  children: ReactNode
}

/** What a screen shows while it has nothing to show. */
export function Empty({ icon, id, title, children }: EmptyProps) {
  return (
    <div className="empty" data-testid={id}>
      {icon}
      <p className="empty-title">{title}</p>
      <p>{children}</p>
    </div>
  )
}
