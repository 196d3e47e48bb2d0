import { useState } from 'react'
import { burst, type Heard, heard, sent } from '../../activity/burst.ts'
import { useStore } from '../../store.ts'
import { span } from '../../times.ts'

const SIZES = [100, 1_000, 5_000, 20_000] as const
const number = new Intl.NumberFormat('en-GB')

const ORIGINS: Readonly<Record<Heard['from'], string>> = {
  self: 'this tab',
  device: 'another tab of this device',
  room: 'another device',
}

/** Many events at once: how fast they are kept here, and arrive elsewhere. */
export function BurstView() {
  const [busy, setBusy] = useState(false)

  async function start(size: number) {
    setBusy(true)
    try {
      await burst(size)
    } finally {
      setBusy(false)
    }
  }

  return (
    <section className="panel burst" aria-labelledby="burst-title">
      <header>
        <h2 id="burst-title">Publish many at once</h2>
        <p className="soft">
          Every one is an event of its own: logged on this device, sent to the room, heard in every
          tab. Keep another tab or device on this page to see them arrive there.
        </p>
      </header>
      <fieldset className="burst-sizes" aria-label="How many">
        {SIZES.map((size) => (
          <button
            key={size}
            type="button"
            className="button"
            disabled={busy}
            onClick={() => void start(size)}
            data-testid={`burst-${size}`}
          >
            {number.format(size)}
          </button>
        ))}
      </fieldset>
      <SentFigures />
      <HeardFigures />
    </section>
  )
}

function SentFigures() {
  const state = useStore(sent)
  if (!state) return null
  const { of, published, loggedAfter, relayedAfter } = state
  return (
    <dl
      className="figures"
      aria-label="Sent by this tab"
      data-testid="burst-sent"
      data-logged={loggedAfter !== undefined}
      data-relayed={relayedAfter !== undefined}
    >
      <Figure name="Published" value={`${number.format(published)} of ${number.format(of)}`} />
      <Figure
        name="In the log of this device"
        value={loggedAfter === undefined ? '…' : span(loggedAfter)}
        note={loggedAfter === undefined ? '' : rate(of, loggedAfter)}
      />
      <Figure
        name="Confirmed by the room"
        value={relayedAfter === undefined ? '…' : span(relayedAfter)}
        note={relayedAfter === undefined ? '' : rate(of, relayedAfter)}
      />
    </dl>
  )
}

function HeardFigures() {
  const runs = useStore(heard)
  if (runs.length === 0) return null
  return (
    <section className="heard" aria-labelledby="heard-title">
      <h3 id="heard-title">Arrived in this tab</h3>
      <ul>
        {runs.map(({ run, from, of, count, ms }) => (
          <li key={run} data-testid="burst-heard" data-from={from} data-count={count}>
            <span>
              {number.format(count)} of {number.format(of)} from {ORIGINS[from]}
            </span>
            <progress max={of} value={count} aria-label={`Arrived from ${ORIGINS[from]}`} />
            <small>{count === of ? rate(of, ms) : 'arriving'}</small>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Figure({ name, value, note = '' }: { name: string; value: string; note?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {value} <small>{note}</small>
      </dd>
    </div>
  )
}

const rate = (count: number, ms: number): string =>
  ms < 1 ? '' : `${number.format(Math.round((count / ms) * 1_000))} events a second`
