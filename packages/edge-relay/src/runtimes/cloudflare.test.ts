import { expect, it } from 'vitest'
import { createRelay } from '../relay.ts'
import { optionsOfEnv } from './cloudflare.ts'

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
