/** Relays in processes of their own, on whatever runtime. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { killRecorded } from './power-cut.ts'
import { type Flags, type RelayProcessHandle, socketOf } from './relay-handle.ts'
import { endWorkers, startWorker } from './worker-process.ts'

export type { Flags, RelayProcessHandle } from './relay-handle.ts'

const MAIN = fileURLToPath(new URL('../../bin/crosstown-relay.js', import.meta.url))

/** A runtime that is installed here, as `npm test` found it. */
export interface Runtime {
  readonly name: string
  /** Absent where it is not installed: its tests are skipped. */
  readonly start: ((flags: Flags) => Promise<RelayProcessHandle>) | undefined
  /** Whether it has processes, which can be asked to end, and files, which can be copied. */
  readonly hasProcesses: boolean
  /** Whether its relays have an engine. @default false */
  readonly hasEngine?: boolean
}

const DENO_FLAGS = [
  '--no-prompt',
  '--allow-net',
  '--allow-read',
  '--allow-write',
  '--allow-env',
  '--allow-sys',
]

/** All that the relay runs on. */
export const RUNTIMES: readonly Runtime[] = [
  onProcesses('Node', process.execPath, []),
  onProcesses('Deno', process.env['CROSSTOWN_DENO'], ['run', ...DENO_FLAGS]),
  onProcesses('Bun', process.env['CROSSTOWN_BUN'], []),
  { name: 'workerd', start: startWorker, hasProcesses: false },
]

function onProcesses(name: string, command: string | undefined, args: readonly string[]): Runtime {
  const start =
    command === undefined ? undefined : (flags: Flags) => startProcess(name, command, args, flags)
  return { name, start, hasProcesses: true }
}

const running = new Set<ChildProcess>()

/** `crosstown-relay serve`; it listens when this resolves. */
async function startProcess(
  name: string,
  command: string,
  args: readonly string[],
  { file, auth, args: more = [], recording }: Flags,
): Promise<RelayProcessHandle> {
  const flags = [
    ...(file === undefined ? [] : ['--store', `sqlite:${file}`]),
    ...(auth === undefined ? [] : ['--auth', auth]),
    ...more,
  ]
  const all = [...args, MAIN, 'serve', '--port', '0', ...flags]
  const started = recording?.commandOf(command, all) ?? ([command, all] as const)
  const child = spawn(...started, { stdio: ['ignore', 'pipe', 'pipe'] })
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
    socket: socketOf(url),
    output: () => output,
    ended: exited,
    end(signal) {
      if (recording && signal === 'SIGKILL') killRecorded(child)
      else child.kill(signal)
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
  await Promise.all([...ended, endWorkers()])
}
