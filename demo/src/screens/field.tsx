import type { ReactNode } from 'react'

export type Tone = 'good' | 'busy' | 'warn' | 'bad'

interface FieldProps {
  name: string
  id: string
  /** The value in one word, for styles and tests. */
  state: string
  tone?: Tone
  children: ReactNode
}

/** One value of the status strip. */
export function Field({ name, id, state, tone, children }: FieldProps) {
  return (
    <div className="field">
      <dt>{name}</dt>
      <dd data-testid={id} data-state={state} data-tone={tone}>
        {children}
      </dd>
    </div>
  )
}
