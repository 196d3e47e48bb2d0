import type { InspectSource, SourceSink } from '../../sources/source.ts'

/**
 * The source, not listened to before `shown`: a full ring is taken in for half a second, and the panel
 * need not be blank meanwhile.
 */
export function openedLater(source: InspectSource, shown: Promise<void>): InspectSource {
  let state: 'waiting' | 'open' | 'closed' = 'waiting'
  return {
    label: source.label,
    kind: source.kind,
    start(sink: SourceSink) {
      void shown.then(() => {
        if (state === 'closed') return
        state = 'open'
        source.start(sink)
      })
    },
    send(text) {
      if (state === 'open') source.send(text)
    },
    close() {
      if (state === 'open') source.close()
      state = 'closed'
    },
  }
}
