/** Breaks a link of a context for a while, to see what the application makes of it. */
import { type FormEvent, useEffect, useId, useState } from 'react'
import type { Hub, Peer } from '../../model/model.ts'
import { Notice } from '../shared/notice.tsx'
import { troubleInWords } from '../shared/trouble.ts'
import {
  BLANK_FAULT,
  type FaultForm,
  faultInWords,
  faultOf,
  learnFault,
  setFault,
} from './fault-state.ts'
import './faults.css'

const DURATIONS = [
  ['10', '10 seconds'],
  ['30', '30 seconds'],
  ['120', '2 minutes'],
  ['600', '10 minutes'],
] as const

export function FaultPart({ hub, peer }: { hub: Hub; peer: Peer }) {
  const id = useId()
  const [form, setForm] = useState<FaultForm>(BLANK_FAULT)
  const [trouble, setTrouble] = useState<string>()
  const fault = faultOf(form)
  const change = (changed: Partial<FaultForm>) => setForm({ ...form, ...changed })
  useEffect(() => {
    // Who does not say has none that could be shown.
    learnFault(hub, peer.id).catch(() => {})
  }, [hub, peer.id])
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if ('wrong' in fault) return
    setTrouble(undefined)
    setFault(hub, peer.id, fault).catch((error: unknown) =>
      setTrouble(troubleInWords(error, hub, peer.id)),
    )
  }
  return (
    <details className="faults">
      <summary>Break a link of it for a while</summary>
      <form className="fault-form" onSubmit={submit}>
        <label className="field">
          <span>Link</span>
          <select
            value={form.link}
            onChange={(event) => change({ link: event.target.value as FaultForm['link'] })}
          >
            <option value="relay">to the relay</option>
            <option value="tabs">to the other contexts</option>
          </select>
        </label>
        <label className="field">
          <span>What happens</span>
          <select
            value={form.do}
            onChange={(event) => change({ do: event.target.value as FaultForm['do'] })}
          >
            <option value="cut">is cut</option>
            <option value="drop">loses</option>
            <option value="delay">delays</option>
            <option value="duplicate">doubles</option>
          </select>
        </label>
        {form.do === 'delay' && (
          <label className="field">
            <span>By, ms</span>
            <input
              className="input mono"
              inputMode="numeric"
              value={form.delayMs}
              onChange={(event) => change({ delayMs: event.target.value })}
            />
          </label>
        )}
        {form.do !== 'cut' && (
          <>
            <label className="field">
              <span>Of 100, so many</span>
              <input
                className="input mono"
                inputMode="numeric"
                value={form.percent}
                onChange={(event) => change({ percent: event.target.value })}
              />
            </label>
            <label className="field">
              <span>Only types that match</span>
              <input
                className="input mono"
                value={form.patterns}
                placeholder="** (everything)"
                spellCheck={false}
                onChange={(event) => change({ patterns: event.target.value })}
              />
            </label>
          </>
        )}
        <label className="field">
          <span>Ends after</span>
          <select
            value={form.seconds}
            onChange={(event) => change({ seconds: event.target.value })}
          >
            {DURATIONS.map(([seconds, label]) => (
              <option key={seconds} value={seconds}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <p id={`${id}-said`} className={'wrong' in fault ? 'field-fault' : 'field-hint'}>
          {'wrong' in fault ? fault.wrong : `${peer.name} ${faultInWords(fault)}.`}
        </p>
        <div className="button-row">
          <button
            type="submit"
            className="button"
            disabled={'wrong' in fault}
            aria-describedby={`${id}-said`}
          >
            Break it
          </button>
        </div>
      </form>
      {trouble && (
        <Notice severity="error" live>
          {trouble}
        </Notice>
      )}
    </details>
  )
}
