/**
 * The sender: own batches of the log to the relay, in order, each naming the one before. A pure
 * state machine; `session.ts` does what it asks for.
 *
 *              welcome(taken)
 *   offline ─────────────────► online ──► read ──► send ... up to WINDOW unacknowledged
 *      ▲                         │  ▲                 │ ack: the window moves
 *      └───────── closed ────────┤  └── retry ◄───────┤ reject: rewind to what was taken, wait
 */

export interface SenderState {
  readonly online: boolean
  /** Records up to this number were sent, or have nothing for the room. */
  readonly scanned: number
  /** The last batch sent that had events for the room; absent at a chain's start. */
  readonly prev: number | undefined
  /** Sent and not acknowledged, in order. */
  readonly unacknowledged: readonly SentBatch[]
  /** The newest own batch known to be in the log. */
  readonly newest: number
  readonly reading: boolean
  /** After a temporary refusal, until its time is over. */
  readonly waiting: boolean
}

export type SenderInput =
  | { readonly kind: 'welcomed'; readonly taken: number | undefined; readonly newest: number }
  /** `atHand`: that batch was just committed here, and all of it is for the room. */
  | { readonly kind: 'grew'; readonly newest: number; readonly atHand?: boolean }
  /** A record without anything for the room is in the log. */
  | { readonly kind: 'passed'; readonly batch: number }
  | {
      readonly kind: 'read'
      readonly from: number
      readonly batches: readonly OutboxBatch[]
      /** No record up to this number is missing from `batches`. */
      readonly through: number
    }
  | { readonly kind: 'acknowledged'; readonly batch: number }
  /** `taken`: the last batch the relay has; `'unknown'` where it could not say. */
  | {
      readonly kind: 'rejected'
      readonly batch: number
      readonly taken: number | undefined | 'unknown'
      readonly retryAfterMs: number
    }
  | { readonly kind: 'retry' }
  | { readonly kind: 'closed' }

export interface SentBatch {
  readonly batch: number
  readonly prev: number | undefined
}

/** A record of the log as the sender sees it. */
export interface OutboxBatch {
  readonly batch: number
  readonly forRoom: boolean
}

export type SenderOutput =
  | { readonly do: 'read'; readonly from: number; readonly limit: number }
  | { readonly do: 'send'; readonly batch: number; readonly prev: number | undefined }
  | { readonly do: 'wait'; readonly ms: number }

/** Batches on their way at most: enough to fill a round trip, little to send again. */
const WINDOW = 16

export const OFFLINE_SENDER: SenderState = {
  online: false,
  scanned: 0,
  prev: undefined,
  unacknowledged: [],
  newest: 0,
  reading: false,
  waiting: false,
}

export function stepSender(state: SenderState, input: SenderInput): [SenderState, SenderOutput[]] {
  switch (input.kind) {
    case 'welcomed':
      return more({
        ...OFFLINE_SENDER,
        online: true,
        scanned: input.taken ?? 0,
        prev: input.taken,
        newest: Math.max(state.newest, input.newest),
      })
    case 'grew':
      return grown(state, input)
    case 'passed':
      // A read under way goes by where it began.
      if (state.reading || input.batch !== state.scanned + 1) return [state, []]
      return [{ ...state, scanned: input.batch }, []]
    case 'read':
      return sendRead(state, input)
    case 'acknowledged':
      return more({
        ...state,
        unacknowledged: state.unacknowledged.filter(({ batch }) => batch > input.batch),
      })
    case 'rejected':
      return rewind(state, input)
    case 'retry':
      return more({ ...state, waiting: false })
    case 'closed':
      return [{ ...OFFLINE_SENDER, newest: state.newest }, []]
  }
}

/** What is at hand goes out unread where nothing lies between it and what was sent. */
function grown(
  state: SenderState,
  { newest, atHand }: Extract<SenderInput, { kind: 'grew' }>,
): [SenderState, SenderOutput[]] {
  const next = { ...state, newest: Math.max(state.newest, newest) }
  if (!atHand || !isFree(state) || newest !== state.scanned + 1) return more(next)
  const sent = { batch: newest, prev: state.prev }
  const unacknowledged = [...state.unacknowledged, sent]
  return [{ ...next, scanned: newest, prev: newest, unacknowledged }, [{ do: 'send', ...sent }]]
}

function sendRead(
  state: SenderState,
  { from, batches, through }: Extract<SenderInput, { kind: 'read' }>,
): [SenderState, SenderOutput[]] {
  // A rewind while the read was under way makes what was read the wrong place to go on from.
  if (!state.online || state.waiting || from !== state.scanned + 1) {
    return more({ ...state, reading: false })
  }
  const outputs: SenderOutput[] = []
  let { prev } = state
  const unacknowledged = [...state.unacknowledged]
  for (const { batch, forRoom } of batches) {
    if (!forRoom) continue
    outputs.push({ do: 'send', batch, prev })
    unacknowledged.push({ batch, prev })
    prev = batch
  }
  const [next, asked] = more({ ...state, reading: false, scanned: through, prev, unacknowledged })
  return [next, [...outputs, ...asked]]
}

function rewind(
  state: SenderState,
  { batch, taken, retryAfterMs }: Extract<SenderInput, { kind: 'rejected' }>,
): [SenderState, SenderOutput[]] {
  const first = state.unacknowledged[0]
  // Those that followed the refused batch are refused as well; the first of them rewound it all.
  if (!first || !state.unacknowledged.some((sent) => sent.batch === batch)) return [state, []]
  const from =
    taken === 'unknown'
      ? { scanned: first.batch - 1, prev: first.prev }
      : { scanned: taken ?? 0, prev: taken }
  return [
    { ...state, ...from, unacknowledged: [], waiting: true },
    [{ do: 'wait', ms: retryAfterMs }],
  ]
}

function more(state: SenderState): [SenderState, SenderOutput[]] {
  if (!isFree(state) || state.scanned >= state.newest) return [state, []]
  const limit = WINDOW - state.unacknowledged.length
  return [{ ...state, reading: true }, [{ do: 'read', from: state.scanned + 1, limit }]]
}

/** Whether a batch can go out now: then all that was known of is sent, or a read is to begin. */
function isFree({ online, waiting, reading, unacknowledged }: SenderState): boolean {
  return online && !waiting && !reading && unacknowledged.length < WINDOW
}
