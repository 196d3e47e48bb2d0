import type { ReactNode } from 'react'
import type { ViewProps } from '../view.ts'

export function LogView({ session }: ViewProps): ReactNode {
  return <p>{session.captured} events</p>
}
