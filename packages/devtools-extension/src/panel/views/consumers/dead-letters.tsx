/** Events that consumers gave up: why, and what to do with them. */
import type { PeerId } from '@crosstown/bus/inspect'
import { type ReactNode, useState } from 'react'
import type { Hub } from '../../model/model.ts'
import { clockTime, count, plural } from '../shared/format.ts'
import { Notice } from '../shared/notice.tsx'
import { TableScroll } from '../shared/table-scroll.tsx'
import { troubleInWords } from '../shared/trouble.ts'
import type { LetterRow } from './gathered.ts'
import { whyInWords } from './words.ts'

type What = 'redrive' | 'discard'

export function DeadLetters({
  hub,
  rows,
  more,
  onEvent,
  onDone,
}: {
  hub: Hub
  rows: readonly LetterRow[]
  more: number
  onEvent(id: string): void
  onDone(said: string): void
}): ReactNode {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const [confirming, setConfirming] = useState(false)
  const [running, setRunning] = useState(false)
  const [failed, setFailed] = useState<string>()
  const picked = rows.filter(({ key }) => chosen.has(key))
  const choose = (keys: readonly string[], on: boolean): void => {
    setConfirming(false)
    setChosen((before) => {
      const after = new Set(before)
      for (const key of keys) {
        if (on) after.add(key)
        else after.delete(key)
      }
      return after
    })
  }
  const run = (what: What): void => {
    setConfirming(false)
    setFailed(undefined)
    setRunning(true)
    void settle(hub, what, picked).then(({ done, trouble }) => {
      setRunning(false)
      setFailed(trouble)
      setChosen(new Set())
      const letters = plural(done, 'dead letter')
      onDone(
        what === 'redrive'
          ? `${letters} given to ${done === 1 ? 'its consumer' : 'their consumers'} again`
          : `${letters} discarded`,
      )
    })
  }
  return (
    <section className="part">
      <h2>Dead letters</h2>
      {rows.length === 0 ? (
        <p className="quiet">
          None. An event stands here that a consumer gave up: after <code>maxDeliver</code>{' '}
          attempts, or by <code>ctx.term()</code>.
        </p>
      ) : (
        <>
          <div className="button-row">
            <button
              type="button"
              className="button"
              disabled={picked.length === 0 || running}
              onClick={() => run('redrive')}
            >
              {picked.length === 0 ? 'Redrive' : `Redrive ${count(picked.length)}`}
            </button>
            <button
              type="button"
              className="button"
              disabled={picked.length === 0 || running}
              onClick={() => setConfirming(true)}
            >
              {picked.length === 0 ? 'Discard…' : `Discard ${count(picked.length)}…`}
            </button>
            <span className="quiet" role="status">
              {running
                ? 'Asking…'
                : picked.length === 0
                  ? 'Choose letters to give them to their consumer again, or to forget them.'
                  : ''}
            </span>
          </div>
          {confirming && (
            <Notice severity="warning" live>
              <p>
                {plural(picked.length, 'dead letter')} will be forgotten. The events stay in the
                log; no consumer is given them again.
              </p>
              <div className="button-row confirm-row">
                <button
                  type="button"
                  className="button button-main"
                  onClick={() => run('discard')}
                  ref={(button) => button?.focus()}
                >
                  Discard now
                </button>
                <button type="button" className="button" onClick={() => setConfirming(false)}>
                  Cancel
                </button>
              </div>
            </Notice>
          )}
          {failed !== undefined && (
            <Notice severity="error" live>
              {failed}
            </Notice>
          )}
          <Letters rows={rows} chosen={chosen} onChoose={choose} onEvent={onEvent} />
          {more > 0 && (
            <p className="quiet">
              {plural(more, 'older letter')} more: they come into this list as these are settled.
            </p>
          )}
        </>
      )}
    </section>
  )
}

function Letters({
  rows,
  chosen,
  onChoose,
  onEvent,
}: {
  rows: readonly LetterRow[]
  chosen: ReadonlySet<string>
  onChoose(keys: readonly string[], on: boolean): void
  onEvent(id: string): void
}) {
  const all = rows.every(({ key }) => chosen.has(key))
  return (
    <TableScroll label="Dead letters">
      <table className="plain-table consumer-table">
        <caption className="unseen">Dead letters, the newest first</caption>
        <thead>
          <tr>
            <th scope="col">
              <label className="check">
                <input
                  type="checkbox"
                  checked={all}
                  onChange={() =>
                    onChoose(
                      rows.map(({ key }) => key),
                      !all,
                    )
                  }
                />
                Event
              </label>
            </th>
            <th scope="col">Why</th>
            <th scope="col" className="numeric">
              Attempts
            </th>
            <th scope="col">Given up at</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, info, peer }) => (
            <tr key={key}>
              <th scope="row">
                <span className="letter-event">
                  <input
                    type="checkbox"
                    aria-label={`${info.type} ${info.event === '' ? `letter ${info.id}` : info.event}`}
                    checked={chosen.has(key)}
                    onChange={(event) => onChoose([key], event.target.checked)}
                  />
                  <span className="letter-name">
                    {info.event === '' ? (
                      'not readable any more'
                    ) : (
                      <button
                        type="button"
                        className="peer-name"
                        title={`Show ${info.event} in the log`}
                        onClick={() => onEvent(info.event)}
                      >
                        {info.type}
                      </button>
                    )}
                    <span className="quiet">
                      {info.consumer}, {info.group ? 'a group' : peer.name}
                    </span>
                  </span>
                </span>
              </th>
              <td className="letter-why">{whyInWords(info)}</td>
              <td className="numeric">{count(info.attempts)}</td>
              <td className="letter-time">{clockTime(info.at)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  )
}

/** Letters that one peer can be asked for at once. */
const AT_ONCE = 100

/** Asks each peer for its own letters; what some could not do, in words. */
async function settle(
  hub: Hub,
  what: What,
  rows: readonly LetterRow[],
): Promise<{ readonly done: number; readonly trouble?: string }> {
  const byPeer = new Map<PeerId, string[]>()
  for (const { peer, info } of rows) {
    const letters = byPeer.get(peer.id)
    if (letters) letters.push(info.id)
    else byPeer.set(peer.id, [info.id])
  }
  let done = 0
  const troubles: string[] = []
  for (const [peer, letters] of byPeer) {
    try {
      for (let from = 0; from < letters.length; from += AT_ONCE) {
        const some = letters.slice(from, from + AT_ONCE)
        done += (await hub.ask<typeof what>(peer, { what, letters: some })).letters
      }
    } catch (error) {
      troubles.push(troubleInWords(error, hub, peer))
    }
  }
  return { done, ...(troubles.length > 0 && { trouble: troubles.join(' ') }) }
}
