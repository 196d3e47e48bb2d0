/** The log of a device: what is in it, what of it to replay, and how projections were. */
import type { PeerId } from '@crosstown/bus/inspect'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import type { Peer } from '../../model/model.ts'
import { useVersion } from '../../state/store.ts'
import { TabbedParts } from '../shared/choice.tsx'
import { Empty, Notice } from '../shared/notice.tsx'
import { askable, PeerSelect } from '../shared/peer-select.tsx'
import { useAsk } from '../shared/use-ask.ts'
import type { ViewProps } from '../view.ts'
import { useLogPages } from './log-pages.ts'
import { LogTable } from './log-table.tsx'
import { Overview } from './overview.tsx'
import { ReplayPart } from './replay-form.tsx'
import type { ReplayForm } from './replay-plan.ts'
import './store.css'
import { TravelPart } from './travel-part.tsx'

type Part = 'overview' | 'log' | 'replay' | 'travel'

const PARTS: readonly { readonly value: Part; readonly label: string }[] = [
  { value: 'overview', label: 'Overview' },
  { value: 'log', label: 'Log' },
  { value: 'replay', label: 'Replay' },
  { value: 'travel', label: 'Time travel' },
]

export function StoreView(props: ViewProps): ReactNode {
  useVersion(props.session)
  const [chosen, setChosen] = useState<PeerId>()
  const peers = askable(props.session.peers.values(), false)
  const peer = (chosen === undefined ? undefined : props.session.peers.get(chosen)) ?? peers[0]
  if (!peer)
    return (
      <div className="sheet">
        <Empty title="No context to ask">
          <p>
            The log of a device is read through one of its contexts. Open a page that uses
            Crosstown, or connect to the relay of a server.
          </p>
        </Empty>
      </div>
    )
  return <StoreOf key={peer.id} {...props} peer={peer} peers={peers} onPeer={setChosen} />
}

function StoreOf({
  hub,
  session,
  panel,
  peer,
  peers,
  onPeer,
}: ViewProps & { peer: Peer; peers: readonly Peer[]; onPeer(peer: PeerId): void }) {
  const [part, setPart] = useState<Part>('overview')
  const [active, setActive] = useState<number>()
  const [form, setForm] = useState<ReplayForm>({ from: '', to: '', patterns: '', sub: '' })
  const [store, askAgain] = useAsk<'store'>(hub, peer.id, STORE)
  const pages = useLogPages(hub, peer.id)
  useWhenChanged(
    `${peer.status.log.bytes} ${peer.status.outbox.pending} ${peer.status.outbox.refused}`,
    askAgain,
  )
  const info = store.value
  const filled: ReplayForm = {
    ...form,
    from: form.from === '' && info ? String(info.first) : form.from,
    to: form.to === '' && info ? String(info.head) : form.to,
  }
  return (
    <div className="sheet store">
      <div className="view-bar">
        <PeerSelect label="Through" peers={peers} value={peer.id} onChange={onPeer} />
        <button
          type="button"
          className="tool"
          onClick={() => {
            askAgain()
            pages.restart(undefined)
          }}
        >
          Read again
        </button>
      </div>
      {store.state === 'failed' && (
        <Notice severity="error" live>
          {store.words}
        </Notice>
      )}
      <TabbedParts
        label="Parts of the store"
        prefix="store"
        options={PARTS}
        value={part}
        onChange={setPart}
      >
        {part === 'overview' &&
          (info ? (
            <Overview store={info} />
          ) : (
            store.state === 'asking' && <p className="part quiet">Asking {peer.name}…</p>
          ))}
        {part === 'log' && (
          <LogTable
            pages={pages}
            store={info}
            active={active}
            onActive={setActive}
            onReveal={(id) =>
              session.event(id)
                ? panel.reveal(id)
                : panel.say(
                    'That event was not captured: it was published before the panel was there',
                  )
            }
            onReplay={(bound, offset) => {
              setForm({ ...form, [bound]: String(offset) })
              setPart('replay')
            }}
            onTravel={(offset) => {
              setActive(offset)
              setPart('travel')
            }}
          />
        )}
        {part === 'replay' && <ReplayPart hub={hub} peer={peer} form={filled} onForm={setForm} />}
        {part === 'travel' && (
          <TravelPart hub={hub} peer={peer} pages={pages} offset={active} onOffset={setActive} />
        )}
      </TabbedParts>
    </div>
  )
}

const STORE = { what: 'store' } as const

/** Calls when the text is another one than the time before. */
function useWhenChanged(text: string, call: () => void): void {
  const before = useRef(text)
  useEffect(() => {
    if (before.current === text) return
    before.current = text
    call()
  }, [text, call])
}
