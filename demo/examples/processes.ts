/** Programs in processes of their own, for the tests of the examples. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const running = new Set<ChildProcess>()

export interface Program {
  readonly pid: number
  /** Waits for a line of its output that matches, after the one that was waited for before. */
  line(pattern: RegExp): Promise<RegExpExecArray>
  /** How many lines there are so far that match. */
  count(pattern: RegExp): number
  write(line: string): void
  /** Ends its input, and waits until it has ended by itself. */
  finish(): Promise<number | null>
  /** Ends it without time to say goodbye. */
  kill(): Promise<void>
}

/** @param args with paths from the repository's root */
export function start(command: string, args: readonly string[]): Program {
  const child = spawn(command, args, { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] })
  running.add(child)
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child)
    return code as number | null
  })
  const output = watch(child)
  const lost = ended.then((code) => {
    throw new Error(`${args.join(' ')} ended with ${code}:\n${output.text()}`)
  })
  lost.catch(() => {})
  return {
    pid: child.pid as number,
    line: (pattern) => Promise.race([output.line(pattern), lost]),
    count: (pattern) =>
      output
        .text()
        .split('\n')
        .filter((line) => pattern.test(line)).length,
    write: (line) => void child.stdin.write(`${line}\n`),
    finish() {
      child.stdin.end()
      return ended
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Its output: as lines, each of them given once, and all of it for whoever looks for a reason. */
function watch(child: ChildProcess) {
  let [lines, seen, all] = ['', 0, '']
  let wake = Promise.withResolvers<void>()
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    lines += chunk
    all += chunk
    wake.resolve()
    wake = Promise.withResolvers()
  })
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    all += chunk
  })
  return {
    text: () => all,
    async line(pattern: RegExp): Promise<RegExpExecArray> {
      for (;;) {
        for (let end = lines.indexOf('\n', seen); end >= 0; end = lines.indexOf('\n', seen)) {
          const match = pattern.exec(lines.slice(seen, end))
          seen = end + 1
          if (match) return match
        }
        await wake.promise
      }
    },
  }
}

export const node = (...args: readonly string[]): Program => start(process.execPath, args)

/** A relay on a port of the system's choice. */
export async function relay(
  store = 'memory',
): Promise<{ url: string; http: string; program: Program }> {
  const cli = 'packages/edge-relay/dist/cli/main.js'
  const program = node(cli, 'serve', '--port', '0', '--store', store)
  const [, http = ''] = await program.line(/listening on (http:\S+)/)
  return { program, http, url: http.replace('http:', 'ws:') }
}

export interface RedisServer {
  readonly url: string
  readonly port: number
  readonly program: Program
}

/** A Redis on a port of its own; `at` is where one was before. */
export async function redis(at?: number): Promise<RedisServer> {
  const command = process.env['CROSSTOWN_REDIS'] ?? 'redis-server'
  for (let tries = 0; ; tries++) {
    const port = at ?? (await freePort())
    const program = start(command, [
      ...['--bind', '127.0.0.1', '--port', String(port)],
      // Nothing of a test is worth a file.
      ...['--save', '', '--appendonly', 'no'],
    ])
    try {
      await program.line(/Ready to accept connections/)
      return { program, port, url: `redis://127.0.0.1:${port}` }
    } catch (error) {
      // Somebody else may have had the port first.
      if (at !== undefined || tries === 5) throw error
    }
  }
}

/** Redis takes no port 0. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Ends what a test left running. */
export async function endAll(): Promise<void> {
  await Promise.all(
    [...running].map((child) => {
      child.kill('SIGKILL')
      return once(child, 'close')
    }),
  )
}
