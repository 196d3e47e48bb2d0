/** The data of an event, written as JavaScript writes it. */
import { useId, useRef } from 'react'
import { literal } from '../../copy/literal.ts'
import type { Order } from './order.ts'
import { parseLiteral } from './parse.ts'

const EXAMPLES: readonly (readonly [string, string])[] = [
  ["{ sku: 'A1', qty: 2 }", 'JSON, also with unquoted keys, comments and trailing commas'],
  ['42n', 'BigInt'],
  ["new Date('2026-01-31T12:00:00Z')", 'Date'],
  ["new Map([['A1', 2]])", 'Map'],
  ["new Set(['red', 'blue'])", 'Set'],
  ["new URL('https://example.org')", 'URL'],
  ['/^a+$/i', 'RegExp'],
  ['new Uint8Array([1, 2, 3])', 'an array of bytes, and its kin; with .buffer an ArrayBuffer'],
  ['undefined, NaN, -Infinity, -0', 'as they are'],
]

export function DataField({
  value,
  fault,
  onChange,
}: {
  value: string
  fault: Order['faults']['data']
  onChange(value: string): void
}) {
  const id = useId()
  const field = useRef<HTMLTextAreaElement>(null)
  const format = () => {
    const parsed = parseLiteral(value)
    if (!parsed.fault && parsed.value !== undefined) onChange(literal(parsed.value))
  }
  return (
    <div className="data-field">
      <label className="field" htmlFor={`${id}-data`}>
        <span>Data</span>
      </label>
      <div className="field">
        <textarea
          id={`${id}-data`}
          ref={field}
          rows={Math.min(16, Math.max(5, value.split('\n').length + 1))}
          value={value}
          placeholder="{ sku: 'A1' }, or nothing"
          spellCheck={false}
          autoComplete="off"
          aria-invalid={fault !== undefined}
          aria-describedby={`${id}-said`}
          onChange={(event) => onChange(event.target.value)}
        />
        <p id={`${id}-said`} className={fault ? 'field-fault' : 'field-hint'}>
          {fault ? (
            <>
              <span aria-hidden="true">✕ </span>
              {fault.text}{' '}
              {fault.at !== undefined && (
                <button
                  type="button"
                  className="link"
                  onClick={() => {
                    const at = fault.at ?? 0
                    field.current?.focus()
                    field.current?.setSelectionRange(at, Math.min(at + 1, value.length))
                  }}
                >
                  Go there
                </button>
              )}
            </>
          ) : (
            'Read as a value, never run.'
          )}
        </p>
      </div>
      <div className="button-row">
        <button
          type="button"
          className="tool"
          disabled={fault !== undefined || value.trim() === ''}
          onClick={format}
        >
          Format
        </button>
        <details className="literals">
          <summary>How to write Map, Date, BigInt …</summary>
          <dl>
            {EXAMPLES.map(([example, what]) => (
              <div key={example}>
                <dt>
                  <code>{example}</code>
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
        </details>
      </div>
    </div>
  )
}
