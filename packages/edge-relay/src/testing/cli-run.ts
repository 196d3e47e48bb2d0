/** Commands of `crosstown-relay`, each run as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../bin/crosstown-relay.js', import.meta.url))

/** A command that was started. */
export interface CommandRun {
  readonly child: ChildProcess
  /** What it wrote so far. */
  readonly seen: { out: string; error: string }
  /** Resolves with its exit code. */
  readonly exited: Promise<number | null>
  /** Its lines of JSON. */
  lines(): unknown[]
}

/** What a command is given beside its arguments. */
export interface Given {
  /** @default 'good' */
  readonly token?: string
  /** @default '' */
  readonly input?: string
}

/** Runs commands about the room `r`, in a folder of its own. */
export class Commands {
  readonly folder: string
  readonly #running = new Set<ChildProcess>()

  static async open(): Promise<Commands> {
    return new Commands(await mkdtemp(join(tmpdir(), 'relay-commands-')))
  }

  private constructor(folder: string) {
    this.folder = folder
  }

  start(
    url: string,
    args: readonly string[],
    { token = 'good', input = '' }: Given = {},
  ): CommandRun {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: this.folder,
      env: { ...process.env, CROSSTOWN_URL: url, CROSSTOWN_ROOM: 'r', CROSSTOWN_TOKEN: token },
    })
    this.#running.add(child)
    // One that ends before it has read all is told of in its own words.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    const seen = { out: '', error: '' }
    child.stdout.on('data', (chunk) => {
      seen.out += String(chunk)
    })
    child.stderr.on('data', (chunk) => {
      seen.error += String(chunk)
    })
    const exited = once(child, 'close').then(([code]) => {
      this.#running.delete(child)
      return code as number | null
    })
    const lines = (): unknown[] =>
      seen.out
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as unknown)
    return { child, seen, exited, lines }
  }

  /** Runs one to its end, which must be a good one; its lines. */
  async done(url: string, args: readonly string[], given?: Given): Promise<unknown[]> {
    const run = this.start(url, args, given)
    const code = await run.exited
    if (code !== 0 || run.seen.error.includes('crosstown-relay:'))
      throw new Error(`${args.join(' ')} ended with ${code}: ${run.seen.error}`)
    return run.lines()
  }

  /** Runs one to its end, which must be a bad one; its exit code, and the one line it says. */
  async fails(
    url: string,
    args: readonly string[],
    given?: Given,
  ): Promise<[number | null, string]> {
    const run = this.start(url, args, given)
    const code = await run.exited
    if (!/^crosstown-relay: [^\n]+\n$/.test(run.seen.error))
      throw new Error(`${args.join(' ')} ended with ${code}, and not one line: ${run.seen.error}`)
    return [code, run.seen.error]
  }

  /** Ends what still runs. */
  end(): void {
    for (const child of this.#running) child.kill('SIGKILL')
  }

  async close(): Promise<void> {
    this.end()
    await rm(this.folder, { recursive: true, force: true })
  }
}
