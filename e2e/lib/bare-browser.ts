/**
 * A Chromium that nobody drives: Playwright keeps its pages shown and awake, and a debugger keeps a
 * service worker alive. It is started by hand, its tabs are switched as a user would, and single
 * commands go to a page over a socket of their own.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium } from '@playwright/test'
import { chromiumLaunch } from '../../scripts/lib/chromium.ts'

export const INSECURE_HOST = 'shop.test'

export interface BareBrowser {
  /** Opens a tab in front of the others. */
  open(url: string): Promise<Tab>
  close(): Promise<void>
}

/** A tab, and the commands that a page of it is given. */
export class Tab {
  readonly id: string
  readonly #http: string
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>()
  #commands = 0

  private constructor(http: string, id: string, socket: WebSocket) {
    this.#http = http
    this.id = id
    this.#socket = socket
    socket.onmessage = ({ data }) => {
      const { id, result, error } = JSON.parse(String(data))
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error) waiting?.reject(new Error(error.message))
      else waiting?.resolve(result)
    }
    socket.onclose = () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the tab is gone'))
      this.#waiting.clear()
    }
  }

  static async connect(http: string, id: string): Promise<Tab> {
    const socket = new WebSocket(`${http.replace('http', 'ws')}/devtools/page/${id}`)
    await new Promise((resolve, reject) => {
      socket.onopen = resolve
      socket.onerror = reject
    })
    return new Tab(http, id, socket)
  }

  /** Sends a command of the DevTools protocol. */
  send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#commands
    const answer = Promise.withResolvers<Record<string, unknown>>()
    this.#waiting.set(id, answer)
    this.#socket.send(JSON.stringify({ id, method, params }))
    return answer.promise
  }

  /** Runs a function in the page; what it takes and gives is JSON. */
  async evaluate<T, A>(run: (argument: A) => T | Promise<T>, argument?: A): Promise<T> {
    const answer = await this.send('Runtime.evaluate', {
      expression: `(${run})(${JSON.stringify(argument) ?? ''})`,
      awaitPromise: true,
      returnByValue: true,
    })
    const thrown = answer['exceptionDetails'] as { exception?: { description?: string } }
    if (thrown) throw new Error(thrown.exception?.description ?? 'the page threw')
    return (answer['result'] as { value: T }).value
  }

  /** Brings the tab to the front: the one that was there is hidden. */
  async activate(): Promise<void> {
    await fetch(`${this.#http}/json/activate/${this.id}`)
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.addEventListener('close', resolve))
    await fetch(`${this.#http}/json/close/${this.id}`)
    await closed
  }

  /** Leaves the page alone; the tab stays. */
  detach(): void {
    this.#socket.close()
  }
}

export async function startBareBrowser(): Promise<BareBrowser> {
  const profile = await mkdtemp(join(tmpdir(), 'crosstown-browser-'))
  const child = spawn(
    chromiumLaunch.executablePath ?? chromium.executablePath(),
    [
      '--headless=new',
      '--remote-debugging-port=0',
      // A name that is not this machine's own: its pages count as insecure, as most of plain http.
      `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`,
      `--user-data-dir=${profile}`,
      ...chromiumLaunch.args,
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const http = await debuggingAddress(child)
  return {
    async open(url) {
      const made = await fetch(`${http}/json/new?${encodeURIComponent(url)}`, { method: 'PUT' })
      const { id } = (await made.json()) as { id: string }
      return Tab.connect(http, id)
    },
    async close() {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit')
        child.kill('SIGTERM')
        await ended
      }
      await rm(profile, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

async function debuggingAddress(child: ChildProcess): Promise<string> {
  if (!child.stderr) throw new Error('no output to read')
  let output = ''
  for await (const line of createInterface({ input: child.stderr })) {
    output += `${line}\n`
    const address = /DevTools listening on ws:\/\/([^/]+)/.exec(line)
    if (!address) continue
    child.stderr.resume()
    return `http://${address[1]}`
  }
  throw new Error(`the browser ended before it was ready:\n${output}`)
}
