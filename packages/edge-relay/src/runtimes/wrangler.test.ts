/** The files to deploy, as wrangler takes them and as `wrangler dev` runs them, in a process that is killed. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectProbe, publishOf } from '../testing/probe.ts'
import { socketOf } from '../testing/relay-handle.ts'

const WRANGLER = fileURLToPath(
  new URL('../../../../node_modules/wrangler/bin/wrangler.js', import.meta.url),
)
const DEPLOY = fileURLToPath(new URL('../../deploy/cloudflare/', import.meta.url))

let folder = ''
let keys: Server
let sign: () => Promise<string>
const kills: (() => Promise<void>)[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-wrangler-dev-'))
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }
  keys = createServer((_, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }))
  })
  keys.listen(0, '127.0.0.1')
  await once(keys, 'listening')
  const rights = { publish: ['cart.**'], subscribe: ['**'] }
  sign = () =>
    new SignJWT({ sub: 'ann', crosstown: { rooms: { '42': rights } } })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .setIssuer('https://id.example')
      .setAudience('relay.example')
      .setIssuedAt()
      .setExpirationTime('10 minutes')
      .sign(privateKey)
})
afterAll(async () => {
  for (const kill of kills) await kill()
  // What it builds it leaves beside the files, where it is killed.
  await rm(join(DEPLOY, '.wrangler'), { recursive: true, force: true })
  keys.close()
  await rm(folder, { recursive: true, force: true })
})

/** `wrangler dev` in a process group of its own, which is killed as one. */
async function startDev(): Promise<{ readonly url: string; kill(): Promise<void> }> {
  const { port } = keys.address() as AddressInfo
  const child = spawn(
    process.execPath,
    [
      ...[WRANGLER, 'dev', '--local', '--ip', '127.0.0.1', '--port', '0', '--inspector-port', '0'],
      ...['--persist-to', folder, '--show-interactive-dev-session=false'],
      ...['--var', `CROSSTOWN_JWT_JWKS:http://127.0.0.1:${port}/keys.json`],
    ],
    {
      cwd: DEPLOY,
      detached: true,
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CI: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const closed = once(child, 'close')
  const kill = async (): Promise<void> => {
    try {
      process.kill(-(child.pid as number), 'SIGKILL')
    } catch {
      // It is gone already.
    }
    await closed
  }
  kills.push(kill)
  let output = ''
  const url = await new Promise<string>((resolve, reject) => {
    const take = (chunk: unknown): void => {
      output += String(chunk)
      const found = /Ready on (http:\S+)/.exec(output)
      if (found) resolve(found[1] as string)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    void closed.then(() => reject(new Error(`wrangler dev ended: ${output}`)))
  })
  return { url, kill }
}

it('the files to deploy are a Worker, with the class of its rooms, that wrangler takes', async () => {
  const out = await mkdtemp(join(tmpdir(), 'relay-wrangler-'))
  try {
    const run = promisify(execFile)
    const { stdout } = await run(
      process.execPath,
      [WRANGLER, 'deploy', '--dry-run', '--outdir', out],
      { cwd: DEPLOY, env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CI: '1' } },
    )
    expect(stdout).toMatch(/env\.ROOMS \(Room\)\s+Durable Object/)
    expect(await readdir(out)).toContain('worker.js')
  } finally {
    await rm(out, { recursive: true, force: true })
  }
}, 60_000)

it('wrangler dev serves what is to be deployed, and keeps what it acknowledged when it is killed', async () => {
  const first = await startDev()
  expect((await fetch(`${first.url}/health`)).status).toBe(200)
  const stranger = await connectProbe(socketOf(first.url))
  await expect(stranger.join('stranger')).rejects.toThrow('unauthorized')
  const one = await connectProbe(socketOf(first.url))
  const welcome = await one.join('one', { token: await sign() })
  expect(welcome).toMatchObject({ subject: 'ann', durability: 'disk' })
  expect(welcome.limits.creditBytes).toBeGreaterThan(0)
  one.send(publishOf(1, undefined, ['a-1']), ['1'])
  await one.next('ack')
  await first.kill()
  await one.end()
  const second = await startDev()
  const again = await connectProbe(socketOf(second.url))
  const back = await again.join('one', { token: await sign(), cursor: welcome.from })
  expect(back).toMatchObject({ recovered: true, taken: { batch: 1, id: 'a-1' } })
  const { own } = await again.stream(back.from, () => true)
  expect(own).toEqual([1])
}, 120_000)
