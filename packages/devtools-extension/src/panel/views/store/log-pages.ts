/** The log of a device, read page by page as it is scrolled to. */
import type { Answers, PeerId } from '@crosstown/bus/inspect'
import { useCallback, useEffect, useRef, useState } from 'react'
import type { Hub } from '../../model/model.ts'
import { troubleInWords } from '../shared/trouble.ts'

export type LogEntry = Answers['log']['events'][number]

export interface LogPages {
  readonly entries: readonly LogEntry[]
  /** Where the next page begins; absent at the end of the log. */
  readonly next: number | undefined
  readonly state: 'reading' | 'idle' | 'failed'
  readonly words?: string
  /** Reads the next page, unless that is being done. */
  more(): void
  /** Begins anew, at an offset. */
  restart(from: number | undefined): void
}

export const PAGE = 200
/** Kept at most: what is before is dropped as one goes on. */
const KEPT = 20_000

interface Read {
  readonly entries: readonly LogEntry[]
  readonly next: number | undefined
  readonly state: LogPages['state']
  readonly words?: string
}

const NOTHING: Read = { entries: [], next: undefined, state: 'idle' }

export function useLogPages(hub: Hub, peer: PeerId | undefined, start?: number): LogPages {
  const [read, setRead] = useState<Read>(NOTHING)
  const [from, setFrom] = useState({ at: start })
  const going = useRef<AbortController | undefined>(undefined)

  const page = useCallback(
    (at: number | undefined, before: readonly LogEntry[]) => {
      if (peer === undefined) return
      going.current?.abort()
      const giveUp = new AbortController()
      going.current = giveUp
      setRead({ entries: before, next: at, state: 'reading' })
      const ask = { what: 'log', limit: PAGE, ...(at !== undefined && { from: at }) } as const
      hub.ask(peer, ask, { signal: giveUp.signal }).then(
        ({ events, next }) => {
          if (giveUp.signal.aborted) return
          setRead({ entries: [...before, ...events].slice(-KEPT), next, state: 'idle' })
        },
        (error: unknown) => {
          if (giveUp.signal.aborted) return
          const words = troubleInWords(error, hub, peer)
          setRead({ entries: before, next: at, state: 'failed', words })
        },
      )
    },
    [hub, peer],
  )

  useEffect(() => {
    page(from.at, [])
    return () => going.current?.abort()
  }, [page, from])

  return {
    ...read,
    more: useCallback(() => {
      if (read.state === 'idle' && read.next !== undefined) page(read.next, read.entries)
    }, [page, read]),
    restart: useCallback((at) => setFrom({ at }), []),
  }
}
