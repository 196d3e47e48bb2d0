/** "Why did nothing happen?": asked of a type, or of a subscription. */
import type { PeerId } from '@crosstown/bus/inspect'
import { type FormEvent, useId, useMemo } from 'react'
import { explainSubscription, explainType } from '../../model/index.ts'
import type { Explanation, Session } from '../../model/model.ts'
import { Icon } from '../../ui/icon.tsx'
import { ICONS, type Severity } from '../shared/notice.tsx'
import { subscriptionInWords } from './words.ts'

export type Question =
  | { readonly about: 'type'; readonly type: string }
  | { readonly about: 'subscription'; readonly peer: PeerId; readonly sub: number }

const SEVERITY: { readonly [severity in Explanation['findings'][number]['severity']]: Severity } = {
  ok: 'ok',
  hint: 'info',
  problem: 'error',
}
const SAID = { ok: 'Fine', hint: 'Hint', problem: 'Problem' }

export function Why({
  session,
  version,
  types,
  text,
  onText,
  question,
  onAsk,
  onEvent,
  onPeer,
}: {
  session: Session
  version: number
  /** Types that are known, to complete. */
  types: readonly string[]
  text: string
  onText(text: string): void
  question: Question | undefined
  onAsk(question: Question | undefined): void
  onEvent(id: string): void
  onPeer(peer: PeerId): void
}) {
  const id = useId()
  // biome-ignore lint/correctness/useExhaustiveDependencies: the session changes in place; its version says so
  const explanation = useMemo(() => {
    if (!question) return undefined
    return question.about === 'type'
      ? explainType(session, question.type)
      : explainSubscription(session, question.peer, question.sub)
  }, [question, session, version])
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const type = text.trim()
    onAsk(type === '' ? undefined : { about: 'type', type })
  }
  const choose = (value: string) => {
    const subscription = parseSubscription(value)
    if (subscription) onAsk({ about: 'subscription', ...subscription })
  }
  return (
    <section className="part why" aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>Why did nothing happen?</h2>
      <form className="why-form" onSubmit={submit}>
        <label className="field">
          <span>Event type</span>
          <input
            className="input mono"
            list={`${id}-types`}
            value={text}
            placeholder="cart.item_added"
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => onText(event.target.value)}
          />
        </label>
        <datalist id={`${id}-types`}>
          {types.map((type) => (
            <option key={type} value={type} />
          ))}
        </datalist>
        <button type="submit" className="button">
          Explain
        </button>
        <label className="field why-subscriber">
          <span>or a subscription</span>
          <select
            className="input"
            value={question?.about === 'subscription' ? `${question.peer}#${question.sub}` : ''}
            onChange={(event) => choose(event.target.value)}
          >
            <option value="">choose…</option>
            {[...session.peers.values()]
              .filter((peer) => peer.subscriptions.size > 0)
              .map((peer) => (
                <optgroup key={peer.id} label={peer.name}>
                  {[...peer.subscriptions.values()].map((subscription) => (
                    <option key={subscription.sub} value={`${peer.id}#${subscription.sub}`}>
                      {subscription.sub}: {subscriptionInWords(subscription)}
                    </option>
                  ))}
                </optgroup>
              ))}
          </select>
        </label>
      </form>
      <div role="status">
        {explanation && (
          <Answer
            explanation={explanation}
            onLink={(to, target) => {
              const subscription = to === 'subscription' ? parseSubscription(target) : undefined
              if (subscription) onAsk({ about: 'subscription', ...subscription })
              else if (to === 'event') onEvent(target)
              else if (to === 'peer') onPeer(target)
              else if (to === 'type') onAsk({ about: 'type', type: target })
            }}
          />
        )}
      </div>
    </section>
  )
}

function Answer({
  explanation: { headline, findings },
  onLink,
}: {
  explanation: Explanation
  onLink(to: Explanation['findings'][number]['links'][number]['to'], id: string): void
}) {
  return (
    <div className="answer">
      <p className="answer-headline">{headline}</p>
      <ul>
        {findings.map(({ severity, text, links }) => (
          <li key={text} className={`finding finding-${severity}`}>
            <span className="finding-sign" title={SAID[severity]}>
              <Icon name={ICONS[SEVERITY[severity]]} label={`${SAID[severity]}: `} />
            </span>
            <span>
              {text}{' '}
              {links.map(({ to, id, label }) => (
                <button
                  key={`${to} ${id}`}
                  type="button"
                  className="link"
                  onClick={() => onLink(to, id)}
                >
                  {label}
                </button>
              ))}
            </span>
          </li>
        ))}
      </ul>
    </div>
  )
}

/** `peer#1`, also with another sign between the two. */
export function parseSubscription(id: string): { peer: PeerId; sub: number } | undefined {
  const match = /^(.+)[#/:](\d+)$/.exec(id)
  return match ? { peer: match[1] as string, sub: Number(match[2]) } : undefined
}
