import { expect, it } from 'vitest'
import { Bucket } from '../guard/bucket.ts'
import type { LogRecord } from '../log.ts'
import { createRelay } from '../relay.ts'
import { optionsOfEnv } from './cloudflare.ts'
import { steadyClock } from './durable-room.ts'

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

it('a clock that is set back takes nothing from what somebody may still send', () => {
  let wallMs = 10_000
  const clock = steadyClock(() => wallMs)
  const bucket = new Bucket(1, clock())
  expect(bucket.take(1, clock())).toBe(0)
  wallMs = 1_000
  expect(clock()).toBe(10_000)
  expect(bucket.take(1, clock())).toBe(0)
  wallMs = 11_000
  expect(clock()).toBe(11_000)
})

it('a room that is made anew at each visit neither says that it starts, nor warns of the proxy it is known behind', async () => {
  const records: LogRecord[] = []
  const reported: unknown[] = []
  const relay = createRelay({
    driven: true,
    log: (record) => records.push(record),
    onError: (error) => reported.push(error),
  })
  const request = new Request('http://localhost/rooms/r/stats', {
    headers: { 'x-forwarded-for': '203.0.113.7' },
  })
  await relay.fetch(request, { address: '203.0.113.7', direct: true })
  expect(records.filter(({ event }) => event === 'start')).toEqual([])
  expect(reported).toEqual([])
  await relay.fetch(request, { address: '203.0.113.7' })
  expect(String(reported)).toContain('trustProxy')
})
