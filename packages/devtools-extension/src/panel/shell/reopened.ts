import type { InspectSource } from '../../sources/source.ts'

/**
 * The source, telling when it is open again after it was cut off: what is in front of an extension is
 * another page then, or the same one loaded anew.
 */
export function tellReopened(source: InspectSource, reopened: () => void): InspectSource {
  let cutOff = false
  return {
    label: source.label,
    kind: source.kind,
    start(sink) {
      source.start({
        frame: (text) => sink.frame(text),
        gone: (peers) => sink.gone(peers),
        state(state, detail) {
          if (state === 'reconnecting') cutOff = true
          else if (state === 'open' && cutOff) {
            cutOff = false
            reopened()
          }
          sink.state(state, detail)
        },
      })
    },
    send: (text) => source.send(text),
    close: () => source.close(),
  }
}
