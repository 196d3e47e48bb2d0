/** Who is there, how they are linked, what they listen to, and why nothing happened. */
import type { PeerId } from '@crosstown/bus/inspect'
import { type ReactNode, useMemo, useRef, useState } from 'react'
import { Empty } from '../shared/notice.tsx'
import { useCalmVersion } from '../shared/use-calm.ts'
import { useTypes } from '../shared/use-types.ts'
import type { ViewProps } from '../view.ts'
import { devicesOf } from './devices.ts'
import { PeerDetail } from './peer-detail.tsx'
import { PeerTable } from './peer-table.tsx'
import './peers.css'
import { Topology } from './topology.tsx'
import { useRates } from './use-rates.ts'
import { type Question, Why } from './why.tsx'

const CALM_MS = 250

export function PeersView({ hub, session, panel }: ViewProps): ReactNode {
  const version = useCalmVersion(session, CALM_MS)
  const rates = useRates(session)
  const types = useTypes(session, version)
  const [chosen, setChosen] = useState<PeerId>()
  const [text, setText] = useState('')
  const [question, setQuestion] = useState<Question>()
  const top = useRef<HTMLDivElement>(null)
  // biome-ignore lint/correctness/useExhaustiveDependencies: peers change in place; the version says so
  const devices = useMemo(() => devicesOf(session.peers.values()), [session, version])
  const peer = chosen === undefined ? undefined : session.peers.get(chosen)
  const ask = (next: Question | undefined) => {
    setQuestion(next)
    setText(next?.about === 'type' ? next.type : '')
    if (next) top.current?.scrollTo({ top: 0 })
  }
  if (session.peers.size === 0)
    return (
      <div className="sheet">
        <Empty title="No bus has answered yet">
          <p>
            Each context in which a page, worker or server has made a bus with{' '}
            <code>createBus()</code> and used it appears here: with its device, its link to the
            relay and its subscriptions.
          </p>
          <p>Servers and other devices appear once the panel is connected to their relay.</p>
        </Empty>
      </div>
    )
  return (
    <div className="sheet peers">
      <div className="view-scroll" ref={top}>
        <Why
          session={session}
          version={version}
          types={types}
          text={text}
          onText={setText}
          question={question}
          onAsk={ask}
          onEvent={(id) => panel.reveal(id)}
          onPeer={setChosen}
        />
        <Topology peers={session.peers} version={version} chosen={chosen} onChoose={setChosen} />
        <div className="peers-body">
          <PeerTable devices={devices} rates={rates} chosen={chosen} onChoose={setChosen} />
          {peer ? (
            <PeerDetail
              hub={hub}
              peer={peer}
              onFilter={() => {
                panel.setFilter(`peer:${quoted(peer.name)}`)
                panel.show('log')
              }}
              onExplain={(of, sub) => ask({ about: 'subscription', peer: of, sub })}
            />
          ) : (
            <p className="part quiet">
              Choose a context to see its subscriptions and what it may do.
            </p>
          )}
        </div>
      </div>
    </div>
  )
}

/** As a value of the query language. */
function quoted(name: string): string {
  return /^[\w.*-]+$/.test(name) ? name : `"${name.replaceAll('"', '')}"`
}
