/** Replays a range of the log: says what it will do, asks once more, says what it did. */
import type { Answers } from '@crosstown/bus/inspect'
import { type FormEvent, useId, useState } from 'react'
import type { Hub, Peer } from '../../model/model.ts'
import { subscriptionInWords } from '../peers/words.ts'
import { plural } from '../shared/format.ts'
import { Notice } from '../shared/notice.tsx'
import { troubleInWords } from '../shared/trouble.ts'
import { calledBy, planInWords, planOf, type ReplayForm } from './replay-plan.ts'
import { useRangeCount } from './use-range-count.ts'

type Progress =
  | { readonly is: 'planning' }
  | { readonly is: 'confirming' }
  | { readonly is: 'running' }
  | { readonly is: 'done'; readonly result: Answers['replay'] }
  | { readonly is: 'failed'; readonly words: string }

export function ReplayPart({
  hub,
  peer,
  form,
  onForm,
}: {
  hub: Hub
  peer: Peer
  form: ReplayForm
  onForm(form: ReplayForm): void
}) {
  const id = useId()
  const [progress, setProgress] = useState<Progress>({ is: 'planning' })
  const plan = planOf(form)
  const events = useRangeCount(hub, peer.id, plan.ask)
  const change = (field: keyof ReplayForm, value: string) => {
    onForm({ ...form, [field]: value })
    setProgress({ is: 'planning' })
  }
  const nobody = plan.ask !== undefined && calledBy(peer, plan.ask).length === 0
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (plan.ask && !nobody && progress.is !== 'running') setProgress({ is: 'confirming' })
  }
  const run = () => {
    if (!plan.ask) return
    setProgress({ is: 'running' })
    hub.ask<'replay'>(peer.id, plan.ask).then(
      (result) => setProgress({ is: 'done', result }),
      (error) => setProgress({ is: 'failed', words: troubleInWords(error, hub, peer.id) }),
    )
  }
  const fault = (field: keyof ReplayForm) => form[field] !== '' && plan.faults?.[field]
  return (
    <div className="part">
      <h2>Replay a range to {peer.name}</h2>
      <form className="replay-form" onSubmit={submit}>
        {(['from', 'to'] as const).map((field) => (
          <label className="field" key={field}>
            <span>{field === 'from' ? 'From offset' : 'To offset, inclusive'}</span>
            <input
              className="input mono"
              inputMode="numeric"
              value={form[field]}
              aria-invalid={Boolean(fault(field))}
              aria-describedby={fault(field) ? `${id}-${field}` : undefined}
              onChange={(event) => change(field, event.target.value)}
            />
            {fault(field) && (
              <span id={`${id}-${field}`} className="field-fault">
                {fault(field)}
              </span>
            )}
          </label>
        ))}
        <label className="field">
          <span>Only types that match</span>
          <input
            className="input mono"
            value={form.patterns}
            placeholder="** (everything)"
            spellCheck={false}
            aria-invalid={Boolean(fault('patterns'))}
            aria-describedby={fault('patterns') ? `${id}-patterns` : undefined}
            onChange={(event) => change('patterns', event.target.value)}
          />
          {fault('patterns') && (
            <span id={`${id}-patterns`} className="field-fault">
              {fault('patterns')}
            </span>
          )}
        </label>
        <label className="field">
          <span>Only to</span>
          <select value={form.sub} onChange={(event) => change('sub', event.target.value)}>
            <option value="">all live subscriptions</option>
            {[...peer.subscriptions.values()]
              .filter(({ ended, kind }) => ended === undefined && kind !== 'view')
              .map((subscription) => (
                <option key={subscription.sub} value={subscription.sub}>
                  {subscription.sub}: {subscriptionInWords(subscription)}
                </option>
              ))}
          </select>
        </label>
        <div className="button-row">
          <button
            type="submit"
            className="button"
            disabled={!plan.ask || nobody || progress.is === 'running'}
          >
            Replay…
          </button>
        </div>
      </form>
      {plan.ask && progress.is === 'planning' && (
        <Notice severity={nobody ? 'warning' : 'info'}>
          {planInWords(peer, plan.ask, events)}
        </Notice>
      )}
      {plan.ask && progress.is === 'confirming' && (
        <Notice severity="warning" live>
          <p>{planInWords(peer, plan.ask, events)}</p>
          <div className="button-row confirm-row">
            <button
              type="button"
              className="button button-main"
              onClick={run}
              ref={(button) => button?.focus()}
            >
              Replay now
            </button>
            <button
              type="button"
              className="button"
              onClick={() => setProgress({ is: 'planning' })}
            >
              Cancel
            </button>
          </div>
        </Notice>
      )}
      {progress.is === 'running' && <Notice live>Replaying…</Notice>}
      {progress.is === 'done' && (
        <Notice severity="ok" live>
          Replayed: {plural(progress.result.events, 'event')},{' '}
          {plural(progress.result.calls, 'handler call')}.
        </Notice>
      )}
      {progress.is === 'failed' && (
        <Notice severity="error" live>
          Not replayed. {progress.words}
        </Notice>
      )}
    </div>
  )
}
