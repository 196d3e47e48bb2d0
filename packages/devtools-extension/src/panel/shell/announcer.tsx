/**
 * What is said: at once what an action did (shown for a moment, too), and every ten seconds at most
 * what came in meanwhile.
 */
import { type ReactNode, useEffect, useState } from 'react'
import type { Session } from '../model/model.ts'
import { type Store, useStore } from '../state/store.ts'
import { plural } from '../ui/format.ts'
import { isBad } from '../views/log/list.ts'

/** ms for which a message is shown. */
const SHOWN = 4000
/** ms between two reports of what came in. */
const PAUSE = 10_000
/** Rows that are looked through for errors, at most; of more it is said that there are many. */
const LOOKED_AT = 2_000

export interface Message {
  readonly text: string
}

interface AnnouncerProps {
  readonly session: Session
  readonly message: Store<Message | undefined>
}

export function Announcer({ session, message }: AnnouncerProps): ReactNode {
  const said = useStore(message)
  const [news, setNews] = useState('')

  useEffect(() => {
    if (!said) return
    const timer = setTimeout(() => message.set(undefined), SHOWN)
    return () => clearTimeout(timer)
  }, [said, message])

  useEffect(() => {
    let told = session.rows.next
    let timer: ReturnType<typeof setTimeout> | undefined
    function tell(): void {
      timer = undefined
      const text = newsSince(session, told)
      told = session.rows.next
      if (text !== undefined) setNews(text)
    }
    const end = session.subscribe(() => {
      if (session.rows.next < told) told = session.rows.next
      if (session.rows.next > told) timer ??= setTimeout(tell, PAUSE)
    })
    return () => {
      end()
      clearTimeout(timer)
    }
  }, [session])

  return (
    <>
      <div className="unseen" aria-live="polite">
        {news}
      </div>
      <div className="toast-place" aria-live="polite">
        {said && <p className="toast">{said.text}</p>}
      </div>
    </>
  )
}

/** `38 new events, 1 error`. */
export function newsSince(session: Session, row: number): string | undefined {
  const { rows } = session
  if (rows.next <= row) return undefined
  const looked = Math.max(row, rows.first, rows.next - LOOKED_AT)
  let events = 0
  let errors = 0
  for (let at = looked; at < rows.next; at++) {
    const found = rows.at(at)
    if (found?.kind === 'event') events += 1
    if (found && isBad(found)) errors += 1
  }
  const more = looked > row ? 'more than ' : ''
  const errorsTold = errors === 0 ? '' : `, ${more}${plural(errors, 'error')}`
  return `${more}${plural(events, 'new event')}${errorsTold}`
}
