import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connectProbe, publishOf } from '../testing/probe.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const running = new Set<ChildProcess>()
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-cli-'))
})
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A run of the command, with what it wrote so far. */
function run(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const seen = { out: '', error: '' }
  child.stdout.on('data', (chunk) => (seen.out += String(chunk)))
  child.stderr.on('data', (chunk) => (seen.error += String(chunk)))
  const exited = once(child, 'close').then(([code]) => {
    running.delete(child)
    return code as number | null
  })
  const listening = async (): Promise<string> => {
    for (;;) {
      const url = /^listening on (http:\S+)$/m.exec(seen.out)?.[1]
      if (url) return url
      const ended = await Promise.race([
        once(child.stdout, 'data').then(() => false),
        exited.then(() => true),
      ])
      if (ended) throw new Error(`it ended: ${seen.error}`)
    }
  }
  return { child, seen, exited, listening }
}

describe('crosstown-relay serve', () => {
  it('says where it listens, keeps its rooms in the file, and closes on SIGTERM', async () => {
    const first = run('serve', '--port', '0', '--store', 'sqlite:./data/events.db')
    const url = await first.listening()
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    const probe = await connectProbe(`${url.replace('http', 'ws')}/rooms/r/socket`)
    await probe.join('d')
    probe.send(publishOf(1, undefined, ['a-1']), ['1'])
    await probe.next('ack')
    first.child.kill('SIGTERM')
    await probe.next('goaway')
    expect(await first.exited).toBe(0)
    expect(first.seen.out).toContain('no --auth')

    const second = run('serve', '--port', '0', '--store', 'sqlite:data/events.db')
    const response = await fetch(`${await second.listening()}/rooms/r/stats`)
    expect(await response.json()).toMatchObject({ events: 1, devices: 1 })
    second.child.kill('SIGINT')
    expect(await second.exited).toBe(0)
  })

  it('takes an auth function and origins', async () => {
    const source = `export default (token) => token === 't' ? { subject: 's', rights: { publish: [], subscribe: ['**'] } } : undefined`
    await writeFile(join(folder, 'auth.mjs'), source)
    const { child, exited, listening, seen } = run(
      'serve',
      '--port',
      '0',
      '--auth',
      './auth.mjs',
      '--origins',
      'https://a.example, https://b.example',
    )
    const url = `${await listening()}/rooms/r/events`
    expect((await fetch(url)).status).toBe(401)
    const headers = { authorization: 'Bearer t' }
    expect(
      (await fetch(url, { headers: { ...headers, origin: 'https://b.example' } })).status,
    ).toBe(200)
    expect(
      (await fetch(url, { headers: { ...headers, origin: 'https://c.example' } })).status,
    ).toBe(403)
    expect(seen.out).not.toContain('no --auth')
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
  })

  it('keeps of a room what it was told to keep', async () => {
    const { child, exited, listening } = run('serve', '--port', '0', '--room-events', '2')
    const url = `${await listening()}/rooms/r/events`
    const body = '[{"type":"a.b"},{"type":"a.b"},{"type":"a.b"}]'
    const headers = { 'Content-Type': 'application/json' }
    expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(201)
    let events: unknown[] = ['not asked yet']
    while (events.length > 0) {
      const page = (await (await fetch(url)).json()) as { events: unknown[] }
      events = page.events
    }
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
  })

  it('serves the panel of a folder, or says that there is none', async () => {
    await writeFile(join(folder, 'index.html'), '<title>panel</title>')
    const { child, exited, listening, seen } = run('serve', '--port', '0', '--inspector', '.')
    const url = await listening()
    const response = await fetch(`${url}/inspector?room=shop`)
    expect(response.url).toBe(`${url}/inspector/?room=shop`)
    expect(await response.text()).toContain('panel')
    expect(seen.out).toContain(`inspector at ${url}/inspector`)
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
    const none = run('serve', '--port', '0', '--no-inspector')
    const { status } = await fetch(`${await none.listening()}/inspector`)
    expect(status).toBe(404)
    expect(none.seen.out).not.toContain('inspector at')
    none.child.kill('SIGTERM')
    expect(await none.exited).toBe(0)
  })

  it('writes its log as lines of JSON, and nothing else, where it is asked to', async () => {
    const { child, exited, seen } = run('serve', '--port', '0', '--log', 'json')
    const records = () =>
      seen.out
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, string>)
    while (!seen.out.includes('"listen"')) await once(child.stdout, 'data')
    const url = records().find(({ event }) => event === 'listen')?.['url'] ?? ''
    const probe = await connectProbe(`${url.replace('http', 'ws')}/rooms/r/socket`)
    await probe.join('d')
    child.kill('SIGTERM')
    await probe.end()
    expect(await exited).toBe(0)
    expect(records().map(({ event }) => event)).toEqual([
      'start',
      'listen',
      'open',
      'join',
      'drain',
      'close',
      'end',
    ])
    expect(seen.error).toBe('')
  })

  it('says in text what matters, beside what people read', async () => {
    const { child, exited, listening, seen } = run('serve', '--port', '0', '--log', 'text')
    const url = await listening()
    await fetch(`${url}/nowhere`)
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
    expect(seen.error).toMatch(/ info {2}refusal method=GET route=none status=404 code=not_found\n/)
    expect(seen.out).not.toContain('refusal')
  })

  it('shows its metrics to who has the token for it', async () => {
    await writeFile(join(folder, 'scrape'), 'a-token-for-metrics\n')
    const { child, exited, listening } = run('serve', '--port', '0', '--metrics', 'token:scrape')
    const url = `${await listening()}/metrics`
    expect((await fetch(url)).status).toBe(401)
    const headers = { authorization: 'Bearer a-token-for-metrics' }
    expect(await (await fetch(url, { headers })).text()).toContain('crosstown_events_total 0')
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
  })

  it('is not ready any more for the time it was told to drain, and still serves', async () => {
    const { child, exited, listening, seen } = run('serve', '--port', '0', '--drain', '600')
    const url = await listening()
    expect((await fetch(`${url}/ready`)).status).toBe(200)
    child.kill('SIGTERM')
    while (!seen.out.includes('SIGTERM')) await once(child.stdout, 'data')
    expect((await fetch(`${url}/ready`)).status).toBe(503)
    expect((await fetch(`${url}/rooms/r/events`)).status).toBe(200)
    child.kill('SIGTERM')
    expect(await exited).toBe(null)
  })

  const wrong: [string, string[], RegExp][] = [
    ['a port that is none', ['--port', 'http'], /port/],
    ['an unknown store', ['--store', 'tape'], /sqlite:/],
    ['an unknown flag', ['--hots', 'x'], /--hots/],
    ['a host others can reach, without auth', ['--host', '0.0.0.0'], /auth/],
    ['an auth module that is not there', ['--auth', './missing.mjs'], /missing\.mjs/],
    ['a number of days that is none', ['--room-days', '0'], /whole number/],
    ['a log format that is none', ['--log', 'xml'], /json, text/],
    ['a retention that is not there', ['--retention', './none.json'], /none\.json/],
    ['metrics for whoever', ['--metrics', 'all'], /token:/],
    ['a metrics token that is not there', ['--metrics', 'token:./auth.mjs.missing'], /missing/],
    ['origins that are none', ['--origins', 'a.example'], /origin/],
    ['an inspector that is not there', ['--inspector', './nowhere'], /index\.html/],
  ]
  it.each(wrong)('ends with 2 and one line for %s', async (_, args, message) => {
    const { exited, seen } = run('serve', ...args)
    expect(await exited).toBe(2)
    expect(seen.out).toBe('')
    expect(seen.error.trim()).toMatch(message)
    expect(seen.error.trim().split('\n')).toHaveLength(1)
  })
})
