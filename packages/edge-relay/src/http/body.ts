import { BusError } from '@crosstown/bus/protocol'
import type { Context } from 'hono'
import { isNestedOver } from '../guard/nesting.ts'
import type { Limits } from '../limits.ts'
import type { Platform } from '../platform.ts'
import { badRequest } from './errors.ts'

/**
 * JSON from somebody else, which is not parsed where it is nested deeper than that.
 *
 * @throws {BusError} invalid_options
 */
export function jsonOf(text: string, nesting: number): unknown {
  // A list of events, an event: what is in them is looked at by itself.
  if (isNestedOver(text, nesting + 2)) throw badRequest('the body is nested too deep')
  try {
    return JSON.parse(text)
  } catch {
    throw badRequest('the body is not JSON')
  }
}

/**
 * The body of a request, as far as it is within its limit; no more of it is read. Also of one that is
 * sent in pieces and does not say its length, and of one that is sent as slowly as can be.
 *
 * @throws {BusError} too_large, timeout
 */
export async function bodyOf(
  c: Context,
  { bodyBytes: maxBytes, bodyMs }: Pick<Limits, 'bodyBytes' | 'bodyMs'>,
  platform: Pick<Platform, 'every'>,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = (): BusError => new BusError('too_large', `a body is at most ${maxBytes} bytes`)
  if (Number(c.req.header('content-length') ?? 0) > maxBytes) throw tooLarge()
  const chunks: Uint8Array[] = []
  let bytes = 0
  const reader = c.req.raw.body?.getReader()
  let stop = (): void => {}
  const late = new Promise<never>((_, reject) => {
    stop = platform.every(bodyMs, () =>
      reject(new BusError('timeout', `a body has ${bodyMs} ms to come`)),
    )
  })
  try {
    for (;;) {
      const read = reader?.read()
      const { done, value } = (await (read && Promise.race([read, late]))) ?? {
        done: true,
        value: undefined,
      }
      if (done) break
      bytes += value.byteLength
      if (bytes > maxBytes) throw tooLarge()
      chunks.push(value)
    }
  } catch (error) {
    // What is still to come is read by nobody; some runtimes wait for it when they are told so.
    void reader?.cancel().catch(() => {})
    throw error
  } finally {
    stop()
  }
  const body = new Uint8Array(bytes)
  let at = 0
  for (const chunk of chunks) {
    body.set(chunk, at)
    at += chunk.byteLength
  }
  return body
}
