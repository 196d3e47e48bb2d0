import { useCallback, useEffect, useState } from 'react'
import { bus } from '../bus.ts'
import { type Frame, nextFrame, readFrames } from './rewind.ts'

export interface Frames {
  readonly frames: readonly Frame[]
  readonly state: 'reading' | 'done' | 'failed'
  readonly progress: number
  readonly error: string
  /** Reads all again. */
  readonly reload: () => void
}

/** The frames of the log; what comes afterwards is put behind them. */
export function useFrames(): Frames {
  const [frames, setFrames] = useState<readonly Frame[]>([])
  const [state, setState] = useState<Frames['state']>('reading')
  const [progress, setProgress] = useState(0)
  const [error, setError] = useState('')
  const [turn, setTurn] = useState(0)

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new turn reads again
  useEffect(() => {
    const stopping = new AbortController()
    const { signal } = stopping
    setState('reading')
    setProgress(0)
    readFrames(signal, setProgress).then(
      (read) => {
        if (signal.aborted) return
        setFrames(read)
        setState('done')
        bus.subscribe(
          'cart.*',
          (event) =>
            setFrames((before) =>
              before.some((frame) => frame.event.id === event.id)
                ? before
                : [...before, nextFrame(before, event)],
            ),
          { signal },
        )
      },
      (cause: Error) => {
        if (signal.aborted) return
        setError(cause.message)
        setState('failed')
      },
    )
    return () => stopping.abort()
  }, [turn])

  const reload = useCallback(() => setTurn((before) => before + 1), [])
  return { frames, state, progress, error, reload }
}
