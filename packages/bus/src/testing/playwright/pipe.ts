/** What runs in every page and frame that is recorded: a pipe between its inspect channel and the test. */

/** Names that the test and the pipe agree on; nothing else of a module reaches into a page. */
export interface PipeOptions {
  readonly channel: string
  readonly inspected: string
  readonly version: number
  readonly session: string
  /** The function of the page that the test hears through. */
  readonly hear: string
  /** The function of the page that the test posts through. */
  readonly send: string
}

/** Batch frames that a peer may send before it is granted more. */
const CREDIT = 10_000
/** A session without a sign of life ends after 60 s. */
const ALIVE_MS = 15_000

/** The constants stand in it as they are when it is turned into text. @see pipeScript */
function pipe(
  { channel: name, inspected, version, session, hear, send }: PipeOptions,
  credit: number,
  aliveMs: number,
): void {
  const scope = globalThis as unknown as Record<string, unknown>
  // Where nothing can be kept, nothing can be heard either.
  if (scope[send] !== undefined || location.origin === 'null') return
  try {
    // Buses of this page record from their first event on.
    sessionStorage.setItem(inspected, '1')
  } catch {}
  const tell = scope[hear] as (texts?: readonly string[]) => Promise<Record<string, number>>
  const heard: string[] = []
  let telling = false
  /** What comes while a call is on its way goes with the next. */
  const tellAll = async (): Promise<void> => {
    if (telling) return
    telling = true
    try {
      while (heard.length > 0) await tell(heard.splice(0))
    } catch {
      // The test has ended. The page has nothing to do with that.
    } finally {
      telling = false
    }
  }
  /** Peers that were attached to from here. */
  const known = new Set<string>()
  let channel: BroadcastChannel | undefined
  const post = (frame: object): void =>
    channel?.postMessage(JSON.stringify({ inspect: version, session, ...frame }))
  const take = (text: unknown): void => {
    if (typeof text !== 'string') return
    const [, frame, peer] = /^\{"inspect":\d+,"frame":"(\w+)","peer":"([^"\\]+)"/.exec(text) ?? []
    if (frame === undefined || peer === undefined) return
    heard.push(text)
    void tellAll()
    if (frame === 'bye') known.delete(peer)
    if (frame !== 'hello' || known.has(peer)) return
    known.add(peer)
    post({ frame: 'attach', to: peer, credit })
  }
  const open = async (): Promise<void> => {
    if (channel) return
    channel = new BroadcastChannel(name)
    channel.onmessage = ({ data }: MessageEvent) => take(data)
    // Those that are there already: only what of them was not heard yet.
    const resume = await tell()
    for (const peer of Object.keys(resume)) known.add(peer)
    post({ frame: 'attach', credit, resume })
  }
  scope[send] = (texts: readonly string[]): boolean => {
    for (const text of texts) channel?.postMessage(text)
    return channel !== undefined
  }
  addEventListener('pagehide', () => {
    // After the buses of the page have said goodbye. An open channel would keep it from coming back.
    queueMicrotask(() => {
      tell(heard.splice(0)).catch(() => {})
      channel?.close()
      channel = undefined
      known.clear()
    })
  })
  addEventListener('pageshow', ({ persisted }) => void (persisted && open().catch(() => {})))
  setInterval(() => post({ frame: 'grant', credit: credit / 10 }), aliveMs)
  open().catch(() => {})
}

/** The pipe as a script. */
export function pipeScript(options: PipeOptions): string {
  return `(${pipe})(${JSON.stringify(options)}, ${CREDIT}, ${ALIVE_MS})`
}
