/** What operators are told: of connections, of requests, and of what fails. */
import { type BusErrorCode, type HelloFrame, isBusError } from '@crosstown/bus/protocol'
import { TooMuch } from './guard/too-much.ts'
import type { Log, LogFields } from './log.ts'
import type { Meter } from './metrics.ts'
import type { Resume } from './resume.ts'

/** Whom they are told by. */
export interface Told {
  readonly meter: Meter
  readonly log: Log
}

/** Who ended a connection; the relay does so with a code. */
export type ConnectionEnd =
  | { readonly by: 'peer' }
  | { readonly by: 'relay'; readonly code: BusErrorCode }

/** Codes that mean: it was too much. */
const LIMITS: ReadonlySet<BusErrorCode> = new Set(['rate_limited', 'slow_reader', 'too_large'])

/** A connection ended. */
export function tellEnd({ meter, log }: Told, end: ConnectionEnd, who: LogFields): void {
  if (end.by === 'relay') {
    const { code } = end
    meter.count('server_disconnects_total', 1, code)
    if (code === 'slow_reader') meter.count('slow_closes_total')
    if (LIMITS.has(code)) log('limit', { ...who, code })
  }
  log('close', { ...who, ...end })
}

/** A device was welcomed. */
export function tellJoin(
  { meter, log }: Told,
  { cursor }: HelloFrame,
  { reason, recovered }: Resume,
  who: LogFields,
): void {
  const outcome = cursor === undefined ? 'new' : recovered ? 'recovered' : (reason ?? 'lost')
  meter.count('recover_total', 1, outcome)
  log('join', { ...who, outcome })
}

/** A request was answered with an error. */
export function tellRefusal({ meter, log }: Told, error: unknown, of: Refused): void {
  const { code } = of
  meter.count('reply_errors_total', 1, code)
  log(LIMITS.has(code) || error instanceof TooMuch ? 'limit' : 'refusal', of)
}

type Refused = LogFields & { readonly code: BusErrorCode }

/** A socket was not let in after all. */
export function tellFull({ meter, log }: Told, of: Refused): void {
  meter.count('server_disconnects_total', 1, of.code)
  log('limit', of)
}

const MAX_CAUSES = 3

/** Something failed that should not have. */
export function tellTrouble(told: Told, error: unknown, room?: string): void {
  countTrouble(told, error)
  const { code } = isBusError(error) ? error : {}
  told.log('trouble', {
    ...(room !== undefined && { room }),
    ...(code !== undefined && { code }),
    message: messageOf(error),
  })
}

export function countTrouble({ meter }: Told, error: unknown): void {
  if (isBusError(error) && error.stage === 'log') meter.count('store_errors_total')
}

/** What it says, and what is behind it; without where in the code, which is for `onError`. */
function messageOf(error: unknown): string {
  const messages: string[] = []
  for (let cause = error; cause !== undefined && messages.length < MAX_CAUSES; ) {
    const text = cause instanceof Error ? cause.message : String(cause)
    if (!messages.some((message) => message.includes(text))) messages.push(text)
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return messages.join(': ')
}
