import { isBusError } from '@crosstown/bus/protocol'
import { describe, expect, it } from 'vitest'
import { postgresAddress } from '../postgres-address.ts'
import { redisAddress } from '../redis-address.ts'

function refusalOf(read: () => unknown): string {
  try {
    read()
  } catch (error) {
    expect(isBusError(error) && error.code).toBe('invalid_options')
    return (error as Error).message
  }
  return expect.fail('it was taken')
}

describe('the URL of a PostgreSQL database', () => {
  const read = (url: string, options = {}) => postgresAddress(url, options)

  it('says where it is, by host, by several of them, or by a socket', () => {
    expect(read('postgres://db').options).toMatchObject({ host: ['db'], port: [5432], ssl: false })
    expect(read('postgresql://me:p%40%2F@db.internal:6000/shop%20one').options).toMatchObject({
      host: ['db.internal'],
      port: [6000],
      username: 'me',
      password: 'p@/',
      database: 'shop one',
    })
    expect(
      read('postgres://a:1,[::1]:2,c/x?target_session_attrs=read-write').options,
    ).toMatchObject({
      host: ['a', '::1', 'c'],
      port: [1, 2, 5432],
      target_session_attrs: 'primary',
    })
    expect(read('postgres://a,b/x').options).toMatchObject({ target_session_attrs: 'primary' })
    expect(read('postgres://a/x').options).not.toHaveProperty('target_session_attrs')
    expect(read('postgres://me@/x?host=/run/pg').options).toMatchObject({
      path: '/run/pg/.s.PGSQL.5432',
    })
  })

  it('has options, over which those of the program go', () => {
    const url =
      'postgres://db?schema=shop&connections=3&synchronous_commit=remote_apply&silence_ms=2500&application_name=x'
    expect(read(url)).toMatchObject({
      schema: 'shop',
      silenceMs: 2_500,
      options: { max: 3 },
      parameters: { synchronous_commit: 'remote_apply', application_name: 'x' },
    })
    const given = { schema: 'other', connections: 1, synchronousCommit: 'on', silenceMs: 100 }
    expect(read(url, given)).toMatchObject({
      schema: 'other',
      silenceMs: 100,
      options: { max: 1 },
      parameters: { synchronous_commit: 'on' },
    })
  })

  it('says how much is asked of who the server is', () => {
    for (const mode of ['prefer', 'require', 'verify-full'])
      expect(read(`postgres://db?sslmode=${mode}`).options).toMatchObject({ ssl: mode })
    expect(read('postgres://db?sslmode=disable').options).toMatchObject({ ssl: false })
    const file = import.meta.filename
    const { options } = read(`postgres://db?sslmode=verify-full&sslrootcert=${file}`)
    expect(options).toMatchObject({ ssl: { ca: expect.stringContaining('sslrootcert') } })
  })

  it.each([
    ['none', 'mysql://me:secret@db/x', 'postgres://'],
    ['an @ that is not encoded', 'postgres://me:se@cret@db/x', 'postgres://'],
    ['a % that is none', 'postgres://me:secret%zz@db/x', '%'],
    ['a port that is none', 'postgres://me:secret@db:99999/x', 'port'],
    ['an unknown option', 'postgres://me:secret@db/x?pool=7', 'pool is no option'],
    ['a mode that is not there', 'postgres://me:secret@db/x?sslmode=verify-ca', 'verify-full'],
    ['a certificate for nothing', 'postgres://me:secret@db?sslmode=require&sslrootcert=/a', 'full'],
    ['no file', 'postgres://me:secret@db?sslmode=verify-full&sslrootcert=/no', '/no'],
    ['a schema that is none', 'postgres://me:secret@db/x?schema=Shop%22', 'schema'],
    ['too many connections', 'postgres://me:secret@db/x?connections=100000', 'connections'],
    ['no number', 'postgres://me:secret@db/x?silence_ms=soon', 'silence_ms'],
  ])('is refused with %s, without its password', (_, url, what) => {
    const message = refusalOf(() => read(url))
    expect(message).toContain(what)
    expect(message).not.toMatch(/secret|cret/)
  })
})

describe('the URL of a Redis', () => {
  const read = (url: string, options = {}) => redisAddress(url, options)

  it('says where it is, and has options', () => {
    expect(read('redis://me:pw@db:6380/2?prefix=shop&silence_ms=900')).toEqual({
      url: 'redis://me:pw@db:6380/2',
      prefix: 'shop:',
      silenceMs: 900,
      tls: {},
    })
    expect(read('rediss://db', { prefix: 'x', silenceMs: 200 })).toMatchObject({
      prefix: 'x:',
      silenceMs: 200,
    })
    const { tls } = read(`rediss://db?ca=${import.meta.filename}`)
    expect(tls).toEqual({ tls: true, ca: expect.stringContaining('rediss://') })
  })

  it.each([
    ['none', 'http://me:secret@db', 'redis://'],
    ['no host', 'redis://', 'redis://'],
    ['a database that is no number', 'redis://me:secret@db/x', 'number'],
    ['a % that is none', 'redis://me:secret%zz@db', 'redis://'],
    ['an unknown option', 'redis://me:secret@db?schema=x', 'schema is no option'],
    ['a certificate for nothing', 'redis://me:secret@db?ca=/a', 'rediss://'],
    ['no file', 'rediss://me:secret@db?ca=/no', '/no'],
  ])('is refused with %s, without its password', (_, url, what) => {
    const message = refusalOf(() => read(url))
    expect(message).toContain(what)
    expect(message).not.toContain('secret')
  })
})
