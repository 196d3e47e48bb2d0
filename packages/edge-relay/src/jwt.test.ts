import { createServer } from 'node:http'
import { isBusError } from '@crosstown/bus/protocol'
import {
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from 'jose'
import { afterEach, describe, expect, it } from 'vitest'
import { type JwtOptions, jwtAuth, rightsOfClaim } from './jwt.ts'

const secret = 'a secret of more than thirty-two bytes'
const issuer = 'https://id.example'
const audience = 'relay.example'
const NOW = 1_700_000_000_000
const rooms = { r: { publish: ['cart.**'], subscribe: ['**'] } }
const options: JwtOptions = { secret, issuer, audience, now: () => NOW }
const request = { room: 'r' }

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()))
})

function claims(more: Record<string, unknown> = {}): JWTPayload {
  const seconds = NOW / 1_000
  const base = { sub: 'ann', iss: issuer, aud: audience, iat: seconds, exp: seconds + 60 }
  const all: Record<string, unknown> = { ...base, crosstown: { rooms }, ...more }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

const signed = (payload: JWTPayload, alg = 'HS256', key = secret) =>
  new SignJWT(payload).setProtectedHeader({ alg }).sign(new TextEncoder().encode(key))

describe('a token', () => {
  it('that is in order gives subject, rights and when it ends', async () => {
    expect(await jwtAuth(options)(await signed(claims()), request)).toEqual({
      subject: 'ann',
      rights: {
        publish: ['cart.**'],
        subscribe: ['**'],
        history: true,
        presence: true,
        inspect: false,
      },
      expiresAt: NOW + 60_000,
    })
  })

  const seconds = NOW / 1_000
  const refused: [string, Record<string, unknown>][] = [
    ['no end', { exp: undefined }],
    ['an end that is over', { exp: seconds - 6 }],
    ['a beginning to come', { nbf: seconds + 6 }],
    ['no subject', { sub: undefined }],
    ['a subject that forges lines', { sub: 'ann\nadmin' }],
    ['no issuer', { iss: undefined }],
    ['another issuer', { iss: 'https://evil.example' }],
    ['no audience', { aud: undefined }],
    ['another audience', { aud: 'shop.example' }],
  ]
  it.each(refused)('with %s is not accepted', async (_, more) => {
    expect(await jwtAuth(options)(await signed(claims(more)), request)).toBe(undefined)
  })

  it('is accepted within the tolerance of clocks, and with one audience of several', async () => {
    const token = await signed(claims({ exp: seconds - 4, aud: ['shop.example', audience] }))
    expect(await jwtAuth(options)(token, request)).toMatchObject({ subject: 'ann' })
  })

  it.each([
    ['none', undefined],
    ['an empty one', ''],
    ['no token', 'hello'],
    ['one too many dots', 'a.b.c.d'],
    ['one of 20,000 characters', 'x'.repeat(20_000)],
  ])('that is %s is not accepted', async (_, token) => {
    expect(await jwtAuth(options)(token, request)).toBe(undefined)
  })

  it('that is not signed, or by somebody else, or changed, is not accepted', async () => {
    const auth = jwtAuth(options)
    const good = await signed(claims())
    const [header, , signature] = good.split('.')
    const changed = Buffer.from(JSON.stringify(claims({ sub: 'admin' }))).toString('base64url')
    for (const token of [
      new UnsecuredJWT(claims()).encode(),
      await signed(claims(), 'HS256', 'another secret of more than 32 bytes'),
      `${header}.${changed}.${signature}`,
      good.slice(0, -2),
    ]) {
      expect(await auth(token, request)).toBe(undefined)
    }
  })

  it('of an algorithm that is not listed is not accepted', async () => {
    expect(await jwtAuth(options)(await signed(claims(), 'HS512'), request)).toBe(undefined)
    const wider = jwtAuth({ ...options, algorithms: ['HS256', 'HS512'] })
    expect(await wider(await signed(claims(), 'HS512'), request)).toMatchObject({ subject: 'ann' })
  })

  it('signed with the public key as if it were a secret is not accepted', async () => {
    const { publicKey, privateKey } = await generateKeyPair('RS256')
    const pem = await exportSPKI(publicKey)
    const { secret: _, ...rest } = options
    const auth = jwtAuth({ ...rest, publicKey: pem })
    expect(await auth(await signed(claims(), 'HS256', pem), request)).toBe(undefined)
    const token = (alg: string) =>
      new SignJWT(claims()).setProtectedHeader({ alg }).sign(privateKey)
    expect(await auth(await token('RS256'), request)).toMatchObject({ subject: 'ann' })
    // Listed, but the key is not one of it.
    const header = Buffer.from('{"alg":"ES256"}').toString('base64url')
    const [, payload, signature] = (await token('RS256')).split('.')
    expect(await auth(`${header}.${payload}.${signature}`, request)).toBe(undefined)
  })

  it('that was called back is not accepted', async () => {
    const auth = jwtAuth({ ...options, isRevoked: async ({ jti }) => jti === 'stolen' })
    expect(await auth(await signed(claims({ jti: 'stolen' })), request)).toBe(undefined)
    expect(await auth(await signed(claims({ jti: 'mine' })), request)).toMatchObject({
      subject: 'ann',
    })
  })

  it('for other rooms is forbidden here', async () => {
    await expect(jwtAuth(options)(await signed(claims()), { room: 'other' })).rejects.toSatisfy(
      (error) => isBusError(error, 'forbidden'),
    )
  })
})

describe('published keys', () => {
  it('are found by their id, and one that is new is fetched', async () => {
    const pairs = await Promise.all(
      ['ES256', 'EdDSA'].map((alg) => generateKeyPair(alg, { extractable: true })),
    )
    const jwk = async (i: number) => ({
      ...(await exportJWK(pairs[i]?.publicKey as CryptoKey)),
      kid: `k${i}`,
    })
    const keys = [await jwk(0)]
    let fetched = 0
    const server = createServer((_, response) => {
      fetched += 1
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closers.push(() => new Promise((resolve) => server.close(() => resolve())))
    const { port } = server.address() as { port: number }
    const { secret: _, ...rest } = options
    const auth = jwtAuth({ ...rest, jwks: `http://127.0.0.1:${port}/jwks.json` })
    const token = (i: number, alg: string, kid = `k${i}`) =>
      new SignJWT(claims()).setProtectedHeader({ alg, kid }).sign(pairs[i]?.privateKey as CryptoKey)
    expect(await auth(await token(0, 'ES256'), request)).toMatchObject({ subject: 'ann' })
    expect(await auth(await token(0, 'ES256'), request)).toMatchObject({ subject: 'ann' })
    expect(fetched).toBe(1)
    // A key that is new a moment after the keys were fetched: it will be known soon.
    await expect(auth(await token(1, 'EdDSA'), request)).rejects.toSatisfy((error) =>
      isBusError(error, 'unavailable'),
    )
    await expect(auth(await token(1, 'EdDSA', 'k0'), request)).rejects.toThrow('keys')
  })

  it('out of reach are the operator’s trouble, not a bad token', async () => {
    const { secret: _, ...rest } = options
    const { privateKey } = await generateKeyPair('ES256')
    const auth = jwtAuth({ ...rest, jwks: 'http://127.0.0.1:9/jwks.json' })
    const token = await new SignJWT(claims()).setProtectedHeader({ alg: 'ES256' }).sign(privateKey)
    await expect(auth(token, request)).rejects.toSatisfy((error) =>
      isBusError(error, 'unavailable'),
    )
  })
})

describe('options that would let anybody in are refused:', () => {
  const { secret: _, ...rest } = options
  const wrong: [string, unknown][] = [
    ['no key', rest],
    ['two keys', { ...options, publicKey: '-----BEGIN PUBLIC KEY-----' }],
    ['a short secret', { ...options, secret: 'short' }],
    ['no issuer', { ...options, issuer: [] }],
    ['no audience', { ...options, audience: '' }],
    ['alg none', { ...options, algorithms: ['none'] }],
    ['no algorithm', { ...options, algorithms: [] }],
    ['a secret for a public algorithm', { ...options, algorithms: ['RS256'] }],
    [
      'a public key for a secret algorithm',
      { ...rest, publicKey: '-----BEGIN PUBLIC KEY-----', algorithms: ['HS256'] },
    ],
    ['a key set with a secret in it', { ...rest, jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } }],
    ['a key set at no address', { ...rest, jwks: 'file:///etc/keys' }],
    ['a tolerance of an hour', { ...options, clockTolerance: 3_600 }],
  ]
  it.each(wrong)('%s', (_, given) => {
    expect(() => jwtAuth(given as JwtOptions)).toThrow(/jwtAuth/)
  })
})

describe('the claim of rooms', () => {
  const rightsIn = (rooms: unknown, room: string) =>
    rightsOfClaim({ crosstown: { rooms } }, { room })

  it('says yes to deletion only where it is said', () => {
    const rooms = {
      '*': { subscribe: ['**'] },
      'shop-1': { delete: true },
      'shop-2': { delete: 1 },
    }
    expect(rightsIn(rooms, 'shop-1')?.delete).toBe(true)
    expect(rightsIn(rooms, 'shop-2')?.delete).toBe(undefined)
  })

  it('adds up what fits, and says yes to inspection only where it is said', () => {
    const rooms = {
      '*': { subscribe: ['public.**'], history: false },
      'shop-*': { publish: ['cart.**'], presence: false },
      'shop-1': { subscribe: ['cart.**'], inspect: true, history: false, presence: false },
    }
    expect(rightsIn(rooms, 'shop-1')).toEqual({
      publish: ['cart.**'],
      subscribe: ['public.**', 'cart.**'],
      history: true,
      presence: true,
      inspect: true,
    })
    expect(rightsIn(rooms, 'other')).toEqual({
      publish: [],
      subscribe: ['public.**'],
      history: false,
      presence: true,
      inspect: false,
    })
  })

  it.each([
    ['no claim', undefined],
    ['a text', '*'],
    ['a room that only begins like it', { 'shop-1': {} }],
    ['a star in the middle', { 's*1': {} }],
    ['rights that are none', { '*': null }],
    ['patterns that are none', { '*': { subscribe: ['**.x'] } }],
    [
      'one right of two that cannot be read',
      { '*': { subscribe: ['**'] }, 'shop-*': { publish: 'cart' } },
    ],
  ])('that is %s gives nothing', (_, rooms) => {
    expect(rightsIn(rooms, 'shop-12')).toBe(undefined)
  })
})
