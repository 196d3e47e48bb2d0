import { BusError } from '@crosstown/bus/protocol'
import type { Context } from 'hono'

/**
 * The body of a request, as far as it is within its limit; no more of it is read. Also of one that is
 * sent in pieces and does not say its length.
 *
 * @throws {BusError} too_large
 */
export async function bodyOf(c: Context, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = (): BusError => new BusError('too_large', `a body is at most ${maxBytes} bytes`)
  if (Number(c.req.header('content-length') ?? 0) > maxBytes) throw tooLarge()
  const chunks: Uint8Array[] = []
  let bytes = 0
  const reader = c.req.raw.body?.getReader()
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
    if (done) break
    bytes += value.byteLength
    if (bytes > maxBytes) {
      await reader?.cancel()
      throw tooLarge()
    }
    chunks.push(value)
  }
  const body = new Uint8Array(bytes)
  let at = 0
  for (const chunk of chunks) {
    body.set(chunk, at)
    at += chunk.byteLength
  }
  return body
}
