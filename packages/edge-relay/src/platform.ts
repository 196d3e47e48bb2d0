/**
 * The one file of the relay that touches a clock, a timer, chance or the runtime's cryptography, so
 * that tests can hold all of them in their hand.
 */

/** What the relay uses of the process it runs in. */
export interface Platform {
  /** Milliseconds since 1970, by a clock that may be set. */
  now(): number
  /** Milliseconds since some moment, by a clock that nobody sets: for how long something takes. */
  monotonic(): number
  /** Calls `run` again and again until the returned function is called; keeps no process alive. */
  every(intervalMs: number, run: () => void): () => void
  /** Calls `run` when what has already arrived in this turn of the event loop has been handled. */
  soon(run: () => void): void
  /** `length` random characters of A-Z a-z 0-9 _ -. */
  randomName(length: number): string
  /**
   * SHA-256 of a text's UTF-8 bytes, in base64url without padding: 43 characters. In the port because
   * Web Crypto answers from a thread of its own, at no time that could be repeated.
   */
  sha256(text: string): Promise<string>
}

/** The process itself. */
export const systemPlatform: Platform = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  every(intervalMs, run) {
    const timer: unknown = setInterval(run, intervalMs)
    // Only Node and Deno hold a process open for a timer, and only there is it an object.
    if (typeof timer === 'object' && timer !== null && 'unref' in timer)
      (timer as NodeJS.Timeout).unref()
    return () => clearInterval(timer as NodeJS.Timeout)
  },
  soon(run) {
    if (typeof setImmediate === 'function') setImmediate(run)
    else setTimeout(run, 0)
  },
  randomName,
  sha256: nodeSha256() ?? webSha256,
}

/**
 * Node's own, where the runtime has it: Web Crypto has the hash made by another thread, and to ask it
 * takes twenty times as long as the hash.
 */
function nodeSha256(): Platform['sha256'] | undefined {
  try {
    const { hash } = process.getBuiltinModule('node:crypto')
    const sha256 = async (text: string): Promise<string> => hash('sha256', text, 'base64url')
    hash('sha256', '', 'base64url')
    return sha256
  } catch {
    return undefined
  }
}

/** With what every runtime has. */
export async function webSha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return btoa(String.fromCharCode(...new Uint8Array(digest)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-'

function randomName(length: number): string {
  let name = ''
  // 64 characters, so the low six bits of a random byte choose evenly.
  for (const byte of crypto.getRandomValues(new Uint8Array(length))) name += ALPHABET[byte & 63]
  return name
}
