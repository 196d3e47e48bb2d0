/** While someone looks at the orders, what becomes of them is seen; otherwise the worker counts it. */
import { useEffect } from 'react'
import { bus } from './bus.ts'
import { useStore } from './store.ts'
import { workerPeer } from './worker-peer.ts'

export function useSeenWhileShown(): void {
  const unread = useStore(workerPeer).counted?.unread ?? 0

  useEffect(() => {
    if (unread === 0) return
    const say = () => {
      if (document.visibilityState === 'visible') void bus.publish('notification.seen')
    }
    say()
    document.addEventListener('visibilitychange', say)
    return () => document.removeEventListener('visibilitychange', say)
  }, [unread])
}
