/**
 * Where frames of taps come from, and where an inspector's go. The panel knows this interface and
 * nothing of browsers' extensions, sockets or files; several can be open at once, and what comes
 * twice is recognised by peer and number.
 */
export interface InspectSource {
  /** Shown in the panel: `this page`, `relay 127.0.0.1:8787/demo`, `session.json`. */
  readonly label: string
  readonly kind: 'extension' | 'page' | 'relay' | 'file'
  /** Begins; called once. Comes back by itself after whatever breaks it, and says so by `state`. */
  start(sink: SourceSink): void
  /** A frame of the inspector's; dropped where nobody can hear it now (the hub sends `attach` again). */
  send(text: string): void
  close(): void
}

export interface SourceSink {
  /** A frame of a tap, unchecked. */
  frame(text: string): void
  /** `open` each time it can be spoken to anew: the hub then attaches. */
  state(state: SourceState, detail?: string): void
  /** Peers that were heard through here cannot be any more: their page is gone. */
  gone(peers: readonly string[] | 'all'): void
}

export type SourceState = 'connecting' | 'open' | 'reconnecting' | 'closed' | 'refused'
