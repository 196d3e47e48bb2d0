/** Writes the session into a file, opens one, and sets marks. */
import { type FormEvent, type ReactNode, useMemo, useRef, useState } from 'react'
import { sessionLines } from '../../model/index.ts'
import { useStore } from '../../state/store.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Segmented } from '../shared/choice.tsx'
import { bytes, clockTime, count, plural, share } from '../shared/format.ts'
import { useCalmVersion } from '../shared/use-calm.ts'
import type { ViewProps } from '../view.ts'
import { importFiles } from './importer.ts'
import { countOf, type Extent, fileName, marksOf, rowsOf } from './rows.ts'

const CALM_MS = 250
const MARKS = 8

type Progress =
  | { readonly is: 'idle' }
  | { readonly is: 'writing'; readonly share: number; cancel(): void }
  | { readonly is: 'done'; readonly text: string }
  | { readonly is: 'failed'; readonly text: string }

export function SessionDialog(props: ViewProps & { onClose(): void }): ReactNode {
  return (
    <Dialog title="Session" onClose={props.onClose}>
      <Export {...props} />
      <Import {...props} />
      <Marks {...props} />
    </Dialog>
  )
}

function Export({ hub, session, filtered, selection, panel }: ViewProps) {
  useCalmVersion(session, CALM_MS)
  const selected = useStore(selection)
  const [extent, setExtent] = useState<Extent>('all')
  const [withData, setWithData] = useState(false)
  const [progress, setProgress] = useState<Progress>({ is: 'idle' })
  const counts = (of: Extent) => countOf(of, session, filtered, selected)
  const label = (word: string, of: Extent) => `${word} (${count(counts(of))})`

  const run = async () => {
    const giveUp = new AbortController()
    const cancel = () => giveUp.abort()
    const { signal } = giveUp
    setProgress({ is: 'writing', share: 0, cancel })
    const rows = rowsOf(extent, session, filtered, selected)
    const total = counts(extent)
    const name = fileName(new Date())
    try {
      const lines: string[] = []
      const written = sessionLines(session, {
        label: name,
        signal,
        onProgress: (done) => setProgress({ is: 'writing', share: done, cancel }),
        ...(rows && { rows }),
        ...(withData && { payloadsFrom: hub }),
      })
      for await (const line of written) lines.push(line)
      const file = new Blob(lines, { type: 'application/x-ndjson' })
      panel.env.download(name, file)
      setProgress({ is: 'done', text: `${plural(total, 'row')} in ${name}, ${bytes(file.size)}` })
    } catch (error) {
      if (signal.aborted) setProgress({ is: 'idle' })
      else
        setProgress({ is: 'failed', text: error instanceof Error ? error.message : String(error) })
    }
  }

  return (
    <section className="session-part" aria-labelledby="session-export">
      <h3 id="session-export">Export</h3>
      <Segmented
        label="Rows to export"
        value={extent}
        onChange={setExtent}
        options={[
          { value: 'all', label: label('All', 'all') },
          { value: 'shown', label: label('Shown', 'shown'), title: 'What the filter lets through' },
          { value: 'selected', label: label('Selected', 'selected') },
        ]}
      />
      <label className="check">
        <input
          type="checkbox"
          checked={withData}
          onChange={(event) => setWithData(event.target.checked)}
        />
        With the data of events
      </label>
      <p className="hint">
        {withData
          ? 'Data is asked of the contexts that are there, and redacted as it is here. Look into the file before you give it away.'
          : 'Types, times, ids and what happened to each event; no data.'}
      </p>
      <div className="button-row">
        <button
          type="button"
          className="button button-main"
          disabled={progress.is === 'writing' || counts(extent) === 0}
          onClick={run}
        >
          Export
        </button>
        {progress.is === 'writing' && (
          <>
            <progress value={progress.share} max={1} aria-label="Export" />
            <span className="quiet">{share(progress.share, 1)}</span>
            <button type="button" className="button" onClick={progress.cancel}>
              Cancel
            </button>
          </>
        )}
        <span role="status" className={progress.is === 'failed' ? 'state-error' : undefined}>
          {progress.is === 'done' && `✓ ${progress.text}`}
          {progress.is === 'failed' && `✕ Not exported: ${progress.text}`}
        </span>
      </div>
    </section>
  )
}

function Import({ hub, panel, onClose }: ViewProps & { onClose(): void }) {
  const input = useRef<HTMLInputElement>(null)
  return (
    <section className="session-part" aria-labelledby="session-import">
      <h3 id="session-import">Import</h3>
      <p className="hint">
        A session file opens without the application it was captured from. It can be dropped
        anywhere on the panel, too.
      </p>
      <div className="button-row">
        <button type="button" className="button" onClick={() => input.current?.click()}>
          Open a session file…
        </button>
        <input
          ref={input}
          type="file"
          hidden
          multiple
          accept=".ndjson,.jsonl,.json,.txt"
          aria-label="Session file"
          onChange={(event) => {
            const files = [...(event.target.files ?? [])]
            if (files.length === 0) return
            importFiles(hub, panel, files)
            onClose()
          }}
        />
      </div>
    </section>
  )
}

function Marks({ hub, session, selection, panel, onClose }: ViewProps & { onClose(): void }) {
  const version = useCalmVersion(session, CALM_MS)
  const [text, setText] = useState('')
  // biome-ignore lint/correctness/useExhaustiveDependencies: the session changes in place; its version says so
  const marks = useMemo(() => marksOf(session, MARKS), [session, version])
  const add = (event: FormEvent) => {
    event.preventDefault()
    if (text.trim() === '') return
    hub.mark(text.trim())
    setText('')
  }
  return (
    <section className="session-part" aria-labelledby="session-marks">
      <h3 id="session-marks">Marks</h3>
      <form className="mark-form" onSubmit={add}>
        <input
          className="input grow"
          aria-label="Text of the mark"
          placeholder="Before the second click"
          value={text}
          maxLength={200}
          onChange={(event) => setText(event.target.value)}
        />
        <button type="submit" className="button" disabled={text.trim() === ''}>
          Set a mark now
        </button>
      </form>
      {marks.length === 0 ? (
        <p className="hint">
          A mark is a row of the log with a text of yours; it is exported, too.
        </p>
      ) : (
        <ol className="marks">
          {marks.map((mark) => (
            <li key={mark.row}>
              <span className="mono quiet">{clockTime(mark.ms)}</span>
              <span className="grow ellipsis">{mark.text}</span>
              <button
                type="button"
                className="link"
                onClick={() => {
                  selection.select(mark)
                  panel.show('log')
                  onClose()
                }}
              >
                Show<span className="unseen"> {mark.text} in the log</span>
              </button>
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}
