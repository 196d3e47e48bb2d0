/** What commands write: lines for programs, words for people, and neither more than is read. */
import { once } from 'node:events'

/** Whoever read from us is done: that is no error, and there is nothing more to do. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1)
  })
}

/** Writes a line, and waits where it is not read as fast. */
export async function writeLine(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain')
}

/** A line on the terminal that says how far something is; nothing where there is no terminal. */
export class Progress {
  readonly #what: string
  readonly #shown = process.stderr.isTTY
  #at = 0

  constructor(what: string) {
    this.#what = what
  }

  to(done: number, total: number | undefined): void {
    const now = performance.now()
    if (!this.#shown || now - this.#at < 100) return
    this.#at = now
    const share = total ? ` of ${total} (${Math.min(100, Math.floor((100 * done) / total))} %)` : ''
    process.stderr.write(`\r${this.#what}: ${done}${share}\u001b[K`)
  }

  end(): void {
    if (this.#shown && this.#at > 0) process.stderr.write('\r\u001b[K')
  }
}
