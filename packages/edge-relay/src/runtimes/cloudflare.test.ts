import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { createRelay } from '../relay.ts'
import { optionsOfEnv } from './cloudflare.ts'

const wrangler = fileURLToPath(
  new URL('../../../../node_modules/wrangler/bin/wrangler.js', import.meta.url),
)
const deploy = fileURLToPath(new URL('../../deploy/cloudflare/', import.meta.url))

it('the files to deploy are a Worker, with the class of its rooms, that wrangler takes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'relay-wrangler-'))
  try {
    const run = promisify(execFile)
    const { stdout } = await run(
      process.execPath,
      [wrangler, 'deploy', '--dry-run', '--outdir', folder],
      { cwd: deploy, env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CI: '1' } },
    )
    expect(stdout).toMatch(/env\.ROOMS \(Room\)\s+Durable Object/)
    expect(await readdir(folder)).toContain('worker.js')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 60_000)

const ROOMS = { idFromName: () => '', get: () => ({ fetch: async () => new Response() }) }

it('an environment without keys makes a relay for its own machine only', async () => {
  const relay = createRelay(optionsOfEnv({ ROOMS }))
  expect(relay.loopbackOnly).toBe(true)
  expect((await relay.request('http://relay.example/health')).status).toBe(403)
})

it('an environment with keys makes one that asks for tokens, of pages that it lists', async () => {
  const options = optionsOfEnv({
    ROOMS,
    CROSSTOWN_JWT_SECRET: 'a secret of more than thirty-two bytes',
    CROSSTOWN_JWT_ISSUER: 'https://id.example',
    CROSSTOWN_JWT_AUDIENCE: 'relay',
    CROSSTOWN_ORIGINS: 'https://shop.example, https://admin.example,',
  })
  expect(options.origins).toEqual(['https://shop.example', 'https://admin.example'])
  const relay = createRelay(options)
  expect((await relay.request('http://relay.example/health')).status).toBe(200)
  expect((await relay.request('http://relay.example/rooms/r/events')).status).toBe(401)
})

it('an environment with half of what tokens need makes none', () => {
  const secret = { CROSSTOWN_JWT_SECRET: 'a secret of more than thirty-two bytes' }
  expect(() => optionsOfEnv({ ROOMS, ...secret })).toThrow('CROSSTOWN_JWT_ISSUER')
  expect(() =>
    optionsOfEnv({
      ROOMS,
      ...secret,
      CROSSTOWN_JWT_JWKS: 'https://id.example/jwks.json',
      CROSSTOWN_JWT_ISSUER: 'https://id.example',
      CROSSTOWN_JWT_AUDIENCE: 'relay',
    }),
  ).toThrow('one of secret, publicKey and jwks')
})
