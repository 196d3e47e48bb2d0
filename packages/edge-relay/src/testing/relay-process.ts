/** Relays in processes of their own, on whatever runtime. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../bin/crosstown-relay.js', import.meta.url))

/** A runtime that is installed here, as `npm test` found it. */
export interface Runtime {
  readonly name: string
  /** Absent where it is not installed: its tests are skipped. */
  readonly command: string | undefined
  readonly args: readonly string[]
}

export const RUNTIMES: readonly Runtime[] = [
  { name: 'Node', command: process.execPath, args: [] },
  {
    name: 'Deno',
    command: process.env['CROSSTOWN_DENO'],
    args: [
      'run',
      '--no-prompt',
      '--allow-net',
      '--allow-read',
      '--allow-write',
      '--allow-env',
      '--allow-sys',
    ],
  },
  { name: 'Bun', command: process.env['CROSSTOWN_BUN'], args: [] },
]

/** One process that serves. */
export interface RelayProcessHandle {
  readonly url: string
  /** Of room `42`. */
  readonly socket: string
  /** What it wrote so far. */
  output(): string
  /** Sends a signal; resolves with the exit code, `null` where the signal ended it. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>
}

const running = new Set<ChildProcess>()

/** Starts `crosstown-relay serve`; it listens when this resolves. */
export async function startRelay(
  { name, command, args }: Runtime,
  flags: readonly string[],
): Promise<RelayProcessHandle> {
  if (command === undefined) throw new Error(`${name} is not installed here`)
  const child = spawn(command, [...args, MAIN, 'serve', '--port', '0', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const exited = once(child, 'close').then(([code]) => {
    running.delete(child)
    return code as number | null
  })
  let output = ''
  const url = await new Promise<string>((resolve, reject) => {
    const take = (chunk: unknown): void => {
      output += String(chunk)
      const found = /listening on (http:\S+)\n/.exec(output)
      if (found) resolve(found[1] as string)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    void exited.then((code) => reject(new Error(`${name} ended with ${code}: ${output}`)))
  })
  return {
    url,
    socket: `${url.replace('http', 'ws')}/rooms/42/socket`,
    output: () => output,
    end(signal) {
      child.kill(signal)
      return exited
    },
  }
}

/** Ends what a test left running. */
export async function endAll(): Promise<void> {
  const ended = [...running].map((child) => {
    child.kill('SIGKILL')
    return once(child, 'close')
  })
  await Promise.all(ended)
}
