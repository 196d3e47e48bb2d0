/** The text of a `text/event-stream`, block by block. */

/** A message without a type, which `onmessage` hears. */
export function messageBlock(id: string, json: string): string {
  return `id: ${id}\ndata: ${lines(json)}\n\n`
}

/** A message for those who listen for its type; it leaves the reader where it stands, or at `id`. */
export function typedBlock(type: string, json: string, id: string | undefined): string {
  return `event: ${type}\n${id === undefined ? '' : `id: ${id}\n`}data: ${lines(json)}\n\n`
}

/** Where the reader goes on after a break; no message. */
export function standBlock(id: string): string {
  return `id: ${id}\n\n`
}

/** How long the reader waits before it comes back; no message. */
export function retryBlock(ms: number): string {
  return `retry: ${ms}\n\n`
}

/** Says only that the connection stands. */
export const HEARTBEAT = ':\n\n'

/** Data is the text of somebody else: a line end in it must not end the field. */
function lines(json: string): string {
  return /[\r\n]/.test(json) ? json.replaceAll(/\r\n|[\r\n]/g, '\ndata: ') : json
}
