/** What the end-to-end tests share: a relay and a site of their own for each worker, on free ports. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { test as base, expect } from '@playwright/test'
import { build } from 'esbuild'

export { expect }

export interface Relay {
  /** `ws://127.0.0.1:PORT` */
  readonly url: string
  readonly http: string
}

export interface Shared {
  relay: Relay
  /** Origin of the pages in e2e/pages. */
  site: string
}

export const root: string = fileURLToPath(new URL('..', import.meta.url))

/** A process of ours, ended by the pid it was given. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

/** Starts a process and waits for a line of its output that matches. */
export async function start(
  command: string,
  args: readonly string[],
  ready: RegExp,
): Promise<{ child: ChildProcess; match: RegExpExecArray }> {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  for await (const line of createInterface({ input: child.stdout })) {
    output += `${line}\n`
    const match = ready.exec(line)
    if (!match) continue
    child.stdout.resume()
    return { child, match }
  }
  throw new Error(`${command} ended before it was ready:\n${output}`)
}

export async function startRelay(
  store = 'memory',
  port = '0',
  ...more: readonly string[]
): Promise<{ relay: Relay; child: ChildProcess }> {
  const serve = ['packages/edge-relay/dist/cli/main.js', 'serve', '--port', port]
  const args = [...serve, '--store', store, ...more]
  const { child, match } = await start(process.execPath, args, /listening on (http:\/\/\S+)/)
  const http = match[1] as string
  return { child, relay: { http, url: http.replace('http:', 'ws:') } }
}

/** The pages of e2e/pages by the path they have on the site. */
const PAGES = {
  '/': 'peer',
  '/early': 'early',
  '/examples': 'examples',
  '/link': 'link',
  '/saga': 'saga',
  '/sleeper': 'sleeper',
  '/versions': 'versions',
} as const

/** A script of e2e/pages, bundled once. */
async function bundle(name: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [`${root}/e2e/pages/${name}.ts`],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    absWorkingDir: root,
  })
  return outputFiles[0]?.contents as Uint8Array
}

const pageOf = (name: string): string =>
  `<!doctype html><html lang="en"><title>${name}</title><body><script type="module" src="/${name}.js"></script>`

export const test = base.extend<object, Shared>({
  relay: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright wants a pattern here
    async ({}, use) => {
      const { relay, child } = await startRelay()
      await use(relay)
      await stop(child)
    },
    { scope: 'worker' },
  ],
  site: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright wants a pattern here
    async ({}, use) => {
      const scripts = new Map<string, Uint8Array>()
      for (const name of Object.values(PAGES)) scripts.set(`/${name}.js`, await bundle(name))
      const server = createServer((request, response) => {
        // The page hands its query on to the script that runs in it.
        const { pathname } = new URL(request.url ?? '/', 'http://site')
        const script = scripts.get(pathname)
        response.setHeader('content-type', script ? 'text/javascript' : 'text/html')
        response.end(script ?? pageOf(PAGES[pathname as keyof typeof PAGES] ?? 'peer'))
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
      server.closeAllConnections()
      server.close()
    },
    { scope: 'worker' },
  ],
})
