/** Publishes an event through one of the contexts: a new one, or an edited copy of another. */
import {
  type FormEvent,
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useId,
  useMemo,
  useRef,
  useState,
} from 'react'
import { useStore } from '../../state/store.ts'
import { Segmented } from '../shared/choice.tsx'
import { Empty, Notice } from '../shared/notice.tsx'
import { askable, PeerSelect } from '../shared/peer-select.tsx'
import { nameOf, troubleInWords } from '../shared/trouble.ts'
import { useCalmVersion } from '../shared/use-calm.ts'
import { useTypes } from '../shared/use-types.ts'
import type { ViewProps } from '../view.ts'
import { DataField } from './data-field.tsx'
import { BLANK, copyOf, type Draft, deskOf } from './draft.ts'
import { audienceInWords, orderOf } from './order.ts'
import { Outcomes } from './outcome.tsx'
import './publish.css'

const CALM_MS = 250
const KEPT = 20

type Progress =
  | { readonly is: 'writing' }
  | { readonly is: 'sending' }
  | { readonly is: 'sent'; readonly text: string }
  | { readonly is: 'failed'; readonly text: string }

export function PublishView({ hub, session, selection, panel }: ViewProps): ReactNode {
  const id = useId()
  const version = useCalmVersion(session, CALM_MS)
  const types = useTypes(session, version)
  const desk = deskOf(hub)
  const draft = useStore(desk.draft)
  const sent = useStore(desk.sent)
  const wanted = useStore(panel.copyOf)
  const { current } = useStore(selection)
  const [progress, setProgress] = useState<Progress>({ is: 'writing' })
  const [touched, setTouched] = useState(false)
  const typeField = useRef<HTMLInputElement>(null)

  const copy = useMemo(
    () => (event: string) => {
      const row = session.event(event)
      if (!row) return panel.say('That event is not captured any more')
      setProgress({ is: 'writing' })
      copyOf(hub, row).then((filled) => {
        desk.draft.set(filled)
        typeField.current?.focus()
      })
    },
    [hub, session, panel, desk],
  )
  useEffect(() => {
    if (wanted === undefined) return
    panel.copyOf.set(undefined)
    copy(wanted)
  }, [wanted, panel, copy])

  const peers = askable(session.peers.values(), false)
  const peer =
    peers.find((one) => one.id === draft.peer) ??
    peers.find(({ state }) => state === 'live') ??
    peers[0]
  const order = useMemo(() => orderOf(draft), [draft])
  const change = (changed: Partial<Draft>) => {
    desk.draft.update((before) => ({ ...before, ...changed }))
    if (progress.is !== 'sending') setProgress({ is: 'writing' })
  }
  const publish = (event?: FormEvent) => {
    event?.preventDefault()
    setTouched(true)
    if (!order.ask || !peer || progress.is === 'sending') return
    const { type } = order.ask
    setProgress({ is: 'sending' })
    hub.ask(peer.id, order.ask).then(
      ({ id: published }) => {
        const entry = { id: published, peer: peer.id, type, at: Date.now() }
        desk.sent.update((before) => [entry, ...before].slice(0, KEPT))
        setProgress({ is: 'sent', text: `Published ${type} through ${peer.name}.` })
      },
      (error: unknown) => setProgress({ is: 'failed', text: troubleInWords(error, hub, peer.id) }),
    )
  }
  const keys = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return
    event.preventDefault()
    publish()
  }
  if (!peer)
    return (
      <div className="sheet">
        <Empty title="No context to publish through">
          <p>
            An event is published by a context that is there. Open a page that uses Crosstown, or
            connect to the relay of a server.
          </p>
        </Empty>
      </div>
    )
  const typeFault = (touched || draft.type !== '') && order.faults.type
  return (
    <div className="sheet publish">
      <div className="view-bar">
        <PeerSelect
          label="Through"
          peers={peers}
          value={peer.id}
          onChange={(next) => change({ peer: next })}
        />
        <button
          type="button"
          className="tool"
          disabled={current === undefined}
          onClick={() => current !== undefined && copy(current)}
        >
          Copy the selected event
        </button>
        <button
          type="button"
          className="tool"
          onClick={() => {
            desk.draft.set(BLANK)
            setTouched(false)
            setProgress({ is: 'writing' })
            typeField.current?.focus()
          }}
        >
          Begin anew
        </button>
      </div>
      {draft.note && (
        <Notice severity={draft.note.trouble ? 'warning' : 'info'} live>
          {draft.note.text}
        </Notice>
      )}
      <div className="view-scroll">
        <form className="part publish-form" onSubmit={publish} onKeyDown={keys} noValidate>
          <label className="field">
            <span>Type</span>
            <input
              ref={typeField}
              className="input mono"
              list={`${id}-types`}
              value={draft.type}
              placeholder="cart.item_added"
              autoComplete="off"
              spellCheck={false}
              aria-invalid={Boolean(typeFault)}
              aria-describedby={`${id}-type`}
              onChange={(event) => change({ type: event.target.value })}
              onBlur={() => draft.type !== '' && setTouched(true)}
            />
            <span id={`${id}-type`} className={typeFault ? 'field-fault' : 'field-hint'}>
              {typeFault ||
                (order.faults.type
                  ? 'What happened, as your application names it.'
                  : audienceInWords(draft.type.trim(), draft.scope, peer, session.peers.values()))}
            </span>
          </label>
          <datalist id={`${id}-types`}>
            {types.map((type) => (
              <option key={type} value={type} />
            ))}
          </datalist>
          <DataField
            value={draft.data}
            fault={order.faults.data}
            onChange={(data) => change({ data })}
          />
          <div className="publish-options">
            <div className="field">
              <span id={`${id}-scope`}>How far</span>
              <Segmented
                label="How far it goes"
                value={draft.scope}
                onChange={(scope) => change({ scope })}
                options={[
                  { value: 'room', label: 'Room', title: 'As far as there are links' },
                  { value: 'device', label: 'Device', title: 'All contexts of this device' },
                  { value: 'context', label: 'Context', title: `Only ${peer.name}` },
                ]}
              />
            </div>
            <label className="check">
              <input
                type="checkbox"
                checked={draft.persist && draft.scope !== 'context'}
                disabled={draft.scope === 'context'}
                onChange={(event) => change({ persist: event.target.checked })}
              />
              Keep it in the log
            </label>
            <label className="field">
              <span>Stream</span>
              <input
                className="input mono"
                value={draft.stream}
                placeholder="order-123"
                spellCheck={false}
                aria-invalid={order.faults.stream !== undefined}
                onChange={(event) => change({ stream: event.target.value })}
              />
              {order.faults.stream && <span className="field-fault">{order.faults.stream}</span>}
            </label>
            <label className="field">
              <span>Conversation (correlation id)</span>
              <input
                className="input mono"
                value={draft.correlationId}
                placeholder="its own"
                spellCheck={false}
                onChange={(event) => change({ correlationId: event.target.value })}
              />
            </label>
            <label className="field">
              <span>Cause (causation id)</span>
              <input
                className="input mono"
                value={draft.causationId}
                placeholder="none"
                spellCheck={false}
                onChange={(event) => change({ causationId: event.target.value })}
              />
            </label>
          </div>
          <div className="button-row">
            <button
              type="submit"
              className="button button-main"
              disabled={progress.is === 'sending'}
            >
              Publish
            </button>
            <span className="quiet">
              <kbd>Ctrl</kbd> <kbd>Enter</kbd>
            </span>
            <span role="status" className={progress.is === 'failed' ? 'state-error' : undefined}>
              {progress.is === 'sending' && `Publishing through ${nameOf(session.peers, peer.id)}…`}
              {progress.is === 'sent' && `✓ ${progress.text}`}
              {progress.is === 'failed' && `✕ Not published. ${progress.text}`}
              {touched &&
                progress.is === 'writing' &&
                !order.ask &&
                '✕ Not published yet: see above.'}
            </span>
          </div>
        </form>
        <Outcomes
          hub={hub}
          session={session}
          sent={sent}
          onReveal={(event) => panel.reveal(event)}
          onCopy={copy}
        />
      </div>
    </div>
  )
}
