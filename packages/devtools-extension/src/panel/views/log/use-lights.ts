/** While the pointer rests on an event, what it came of and what came of it are lit. */
import { useEffect, useRef, useState } from 'react'
import type { Row, Session } from '../../model/model.ts'
import { causes, effects } from './related.ts'
import type { Light } from './row-element.ts'

/** ms on a row until it lights others: a pointer that passes lights nothing. */
const REST = 150

interface Lights {
  /** Whether any event but the one under the pointer is lit. */
  readonly on: boolean
  of(id: string): Light
  hover(row: Row | undefined): void
}

const DARK: ReadonlyMap<string, Light> = new Map()

export function useLights(session: Session): Lights {
  const [lit, setLit] = useState(DARK)
  const hovered = useRef<number>(undefined)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])

  return {
    on: lit.size > 1,
    of: (id) => (lit.size > 1 ? lit.get(id) : undefined),
    hover(row) {
      if (row?.row === hovered.current) return
      hovered.current = row?.row
      clearTimeout(timer.current)
      if (lit !== DARK) setLit(DARK)
      if (row?.kind !== 'event') return
      timer.current = setTimeout(() => {
        const lights = new Map<string, Light>()
        for (const effect of effects(session, row)) lights.set(effect.id, 'effect')
        for (const cause of causes(session, row)) lights.set(cause.id, 'cause')
        setLit(lights.set(row.id, 'self'))
      }, REST)
    },
  }
}
