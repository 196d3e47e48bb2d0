import { BusError } from '../errors.ts'

/** What is reported of a message from an origin that was not stated. */
export function badOrigin(origin: string): BusError {
  const what = `${origin} is not among the origins of this link: what it sends is dropped`
  return new BusError('bad_origin', what, { stage: 'links' })
}

/** Whether a text is an origin, and as it is compared: scheme, host and port, and nothing else. */
export function isOrigin(origin: unknown): boolean {
  return typeof origin === 'string' && URL.canParse(origin) && new URL(origin).origin === origin
}
