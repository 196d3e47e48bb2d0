/** What views have concluded from records; who shows them says by what. */
import type { PeerId } from '@crosstown/bus/inspect'
import { createContext, useContext } from 'react'
import type { CausalNode, Explanation, Sequence, Session } from '../model/model.ts'

export interface Conclusions {
  sequenceOf(session: Session, ids: readonly string[]): Sequence
  /** The whole conversation of an event, from its first cause. */
  causalTree(session: Session, id: string): CausalNode
  explainType(session: Session, type: string): Explanation
  explainSubscription(session: Session, peer: PeerId, sub: number): Explanation
}

const Context = createContext<Conclusions | undefined>(undefined)

export const ConclusionsProvider = Context.Provider

export function useConclusions(): Conclusions {
  const conclusions = useContext(Context)
  if (!conclusions) throw new Error('a view stands outside of a ConclusionsProvider')
  return conclusions
}
