/** A process that consumes, killed again and again. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { type DurableOutcome, type DurableRun, seeded } from './durable-run.ts'

const SCRIPT = fileURLToPath(new URL('../peers/durable-process.ts', import.meta.url))
const STREAMS = 10

export async function processRun(
  folder: string,
  { events, kills, seed }: Pick<DurableRun, 'events' | 'kills' | 'seed'>,
): Promise<DurableOutcome> {
  const random = seeded(seed)
  const heard = new Map<string, Set<number>>()
  let [calls, disorder, killed, done] = [0, 0, 0, 0]
  const note = (stream: string, n: number): void => {
    calls += 1
    const of = heard.get(stream) ?? new Set()
    heard.set(stream, of)
    if (of.has(n)) return
    // The k-th event of a stream has the k-th number that ends as its name does.
    if (Math.floor(n / STREAMS) !== of.size) disorder += 1
    of.add(n)
    done += 1
  }
  for (let finished = false; !finished; ) {
    const child = spawn(process.execPath, [SCRIPT, folder, String(events)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exit = once(child, 'exit')
    // So many lines from now on, where it is to be killed.
    let left = killed < kills ? 1 + Math.floor(random() * (events / (kills + 1))) : Infinity
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === 'done') finished = true
      else {
        const [stream = '', n] = line.split(' ')
        note(stream, Number(n))
      }
      left -= 1
      if (left <= 0) child.kill('SIGKILL')
    }
    const [code, signal] = await exit
    if (signal === 'SIGKILL') killed += 1
    else if (code !== 0) throw new Error(`the process ended with ${code}`)
  }
  const db = new DatabaseSync(join(folder, 'own.db'))
  const rows = db.prepare('SELECT n, count(*) AS times FROM effects GROUP BY n').all()
  db.close()
  const notOnce = events - rows.filter(({ times }) => times === 1).length
  return { calls, lost: events - done, disorder, killed, notOnce }
}
