/**
 * What the life of its page asks of a device. A page that is about to stand still writes and posts
 * what it has, and hands leadership over, before the last of its tasks has ended; nothing of it
 * may wait for an answer. A page on its way into the back/forward cache lets go of log and channel
 * as well: they would keep it out.
 */
import type { Lifecycle } from '../platform.ts'

export interface LifecycleActions {
  /** Everything queued goes out, in this task. */
  settle(): void
  /** Hands leadership over, in this task, and says goodbye. */
  handOver(): void
  /** Lets go of log and channel. */
  suspend(): void
  /** Takes log and channel up again. */
  resume(): void
  /** The page moves again: takes part in leadership, and looks for what it missed. */
  wake(): void
  /** The page was shown or hidden. */
  changed(): void
}

/** Follows the page; the returned function ends it. */
export function followLifecycle(lifecycle: Lifecycle, actions: LifecycleActions): () => void {
  let away = false
  return lifecycle.on((change, persisted) => {
    if (change === 'visible' || change === 'hidden') {
      actions.changed()
    } else if (change === 'freeze' || change === 'pagehide') {
      actions.settle()
      actions.handOver()
      if (change === 'pagehide' && persisted) {
        away = true
        actions.suspend()
      }
    } else if (change === 'pageshow' && away) {
      away = false
      actions.resume()
    } else if (change === 'resume' && !away) {
      actions.wake()
    }
  })
}
