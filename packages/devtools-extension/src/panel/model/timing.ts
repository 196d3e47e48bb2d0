/** Clock and turns of the panel; tests bring their own. */
export interface Timing {
  /** ms since 1970 with fractions, never decreasing. */
  now(): number
  /** Calls back before the next frame is drawn, or after some 16 ms where none is. */
  frame(run: () => void): void
  /** Calls back when whatever waits had its turn. */
  soon(run: () => void): void
  /** Calls back after `ms`; the function given back prevents it. */
  later(ms: number, run: () => void): () => void
}

const FRAME_MS = 16

export function pageTiming(): Timing {
  const waiting: (() => void)[] = []
  // It takes longer to be asked for than the time does.
  const origin = performance.timeOrigin
  // Timers of 0 ms are made 4 ms long after a few; messages are not.
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => waiting.shift()?.()
  // In Node, a port that listens keeps the process alive.
  const unref = (port: object) => 'unref' in port && (port.unref as () => void)()
  unref(port1)
  return {
    now: () => origin + performance.now(),
    frame(run) {
      if (typeof requestAnimationFrame === 'function' && document.visibilityState === 'visible')
        requestAnimationFrame(run)
      else setTimeout(run, FRAME_MS)
    },
    soon(run) {
      waiting.push(run)
      port2.postMessage(null)
    },
    later(ms, run) {
      const timer = setTimeout(run, ms)
      return () => clearTimeout(timer)
    },
  }
}
