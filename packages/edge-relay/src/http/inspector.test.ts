import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRelay, type Relay } from '../relay.ts'

let parent = ''
let relay: Relay
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'relay-inspector-'))
  const folder = join(parent, 'page')
  await mkdir(join(folder, 'assets'), { recursive: true })
  await writeFile(join(parent, 'secret.json'), '"secret"')
  await writeFile(join(folder, '.hidden.js'), 'hidden')
  await writeFile(join(folder, 'index.html'), '<title>panel</title>')
  await writeFile(join(folder, 'assets', 'index-a1.js'), 'panel()')
  await writeFile(join(folder, 'notes.txt'), 'of no type that is served')
  relay = createRelay({ inspector: folder })
})
afterAll(async () => {
  await relay.close()
  await rm(parent, { recursive: true, force: true })
})

const get = (path: string, headers: Record<string, string> = {}) =>
  relay.request(`http://localhost:8787${path}`, { headers: { host: 'localhost:8787', ...headers } })

describe('the inspector as a page', () => {
  it('is at /inspector/, with its room', async () => {
    const moved = await get('/inspector?room=shop')
    expect(moved.status).toBe(308)
    expect(moved.headers.get('location')).toBe('inspector/?room=shop')
    const page = await get('/inspector/?room=shop')
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(await page.text()).toBe('<title>panel</title>')
    const script = await get('/inspector/assets/index-a1.js')
    expect(script.headers.get('content-type')).toMatch(/^text\/javascript/)
    expect(script.headers.get('cache-control')).toContain('immutable')
  })

  it('runs its own scripts only, speaks with its own relay only, and is framed by nobody', async () => {
    const { headers } = await get('/inspector/')
    const rules = (headers.get('content-security-policy') ?? '').split('; ')
    expect(rules).toContain("default-src 'none'")
    expect(rules).toContain("script-src 'self'")
    expect(rules).toContain("connect-src 'self' ws://localhost:8787 wss://localhost:8787")
    expect(rules).toContain("frame-ancestors 'none'")
    expect(headers.get('content-security-policy')).not.toContain('unsafe')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
  })

  it.each([
    '/inspector/../secret.json',
    '/inspector/%2e%2e/secret.json',
    '/inspector/..%2fsecret.json',
    '/inspector/..%5csecret.json',
    '/inspector//etc/passwd',
    '/inspector/.hidden.js',
    '/inspector/notes.txt',
    '/inspector/nothing.js',
    '/inspector/assets',
    '/inspector/assets/',
  ])('has no file %s', async (path) => {
    const response = await get(path)
    expect(response.status).toBe(404)
    expect(await response.text()).not.toContain('secret"')
  })

  it('answers to names of this machine only, without auth', async () => {
    expect((await get('/inspector/', { host: 'evil.example' })).status).toBe(403)
  })

  it('is not there unless it was asked for', async () => {
    const without = createRelay()
    expect((await without.request('http://localhost/inspector')).status).toBe(404)
    expect((await without.request('http://localhost/inspector/')).status).toBe(404)
    await without.close()
  })
})
