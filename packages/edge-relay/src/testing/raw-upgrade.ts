/** Upgrades by hand: for what a WebSocket of the platform would not do. */
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { SUBPROTOCOL } from '@crosstown/bus/protocol'

const DRIP_MS = 50
const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  'sec-websocket-protocol': SUBPROTOCOL,
}

/** What the server answers to an upgrade that it refuses. */
export async function refusal(
  url: string,
  headers: Record<string, string>,
): Promise<[number, string]> {
  const { code, status } = await refused(url, headers)
  return [status, code]
}

/** The same, with when to come again. */
export function refused(
  url: string,
  headers: Record<string, string>,
): Promise<{ readonly status: number; readonly code: string; readonly retryAfter?: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url.replace('ws', 'http'), {
      headers: { ...UPGRADE, ...headers },
    })
    asked.on('upgrade', (_, socket) => {
      socket.destroy()
      reject(new Error('it was upgraded'))
    })
    asked.on('response', async (response) => {
      let body = ''
      for await (const chunk of response) body += String(chunk)
      const { error } = JSON.parse(body) as { error: { code: string } }
      const retryAfter = response.headers['retry-after']
      resolve({
        status: response.statusCode ?? 0,
        code: error.code,
        ...(retryAfter !== undefined && { retryAfter }),
      })
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** A socket that was upgraded by hand, so that it can be left unread. */
export async function upgraded(url: string): Promise<Duplex> {
  return (await upgrade(url)).stream
}

/** An upgrade with headers of its own, and what was answered to it. */
export function upgrade(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ readonly stream: Duplex; readonly answered: IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    const asked = request(url.replace('ws', 'http'), { headers: { ...UPGRADE, ...headers } })
    asked.on('upgrade', (response, stream) => {
      stream.on('error', () => {})
      resolve({ stream, answered: response.headers })
    })
    asked.on('response', ({ statusCode }) => reject(new Error(`answered ${statusCode}`)))
    asked.on('error', reject)
    asked.end()
  })
}

/**
 * Sends bytes as they are, and gives what is answered until the other side ends it.
 *
 * @param drip sent again and again meanwhile
 */
export function exchange(url: string, text: string, drip?: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    let dripping: ReturnType<typeof setInterval> | undefined
    const stream = connect(Number(new URL(url).port), '127.0.0.1', () => {
      stream.write(text)
      if (drip !== undefined) dripping = setInterval(() => stream.write(drip), DRIP_MS)
    })
    stream.on('data', (bytes) => {
      answer += String(bytes)
    })
    stream.on('error', () => {})
    stream.on('close', () => {
      clearInterval(dripping)
      resolve(answer)
    })
  })
}

/** A text message as a client must send it, with a mask of zeros (RFC 6455, 5.3). */
export function masked(text: string): Buffer {
  const body = Buffer.from(text)
  const head = Buffer.alloc(8)
  head[0] = 0x81
  head[1] = 0x80 | 126
  head.writeUInt16BE(body.length, 2)
  return Buffer.concat([head, body])
}
