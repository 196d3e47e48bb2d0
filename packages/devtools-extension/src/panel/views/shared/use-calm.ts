/** For what takes its time to compute: a version that follows a store at most so often. */
import { useEffect, useState } from 'react'

interface Versioned {
  readonly version: number
  subscribe(changed: () => void): () => void
}

/** The version of the store, at most one in `everyMs`; never more than that behind. */
export function useCalmVersion(store: Versioned, everyMs: number): number {
  const [version, setVersion] = useState(store.version)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const follow = () => {
      timer ??= setTimeout(() => {
        timer = undefined
        setVersion(store.version)
      }, everyMs)
    }
    setVersion(store.version)
    const stop = store.subscribe(follow)
    return () => {
      stop()
      clearTimeout(timer)
    }
  }, [store, everyMs])
  return version
}
