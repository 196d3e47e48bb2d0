import { describe, expect, it } from 'vitest'
import { systemPlatform, webSha256 } from './platform.ts'
import { createRelay } from './relay.ts'
import { memoryStore } from './stores/memory.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { ProbeSocket } from './testing/probe.ts'

describe('the system platform', () => {
  it.each([
    ['the runtime’s own hash', systemPlatform.sha256],
    ['Web Crypto', webSha256],
  ])('hashes the UTF-8 bytes of a text to base64url without padding, by %s', async (_, sha256) => {
    expect(await sha256('')).toBe('47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU')
    expect(await sha256('é')).toBe('SplVfkAzw1Od4utlRyAXytX5VX96BiWgnxw_biumnEw')
    expect(await sha256('\ud800')).toBe(await sha256('\ufffd'))
  })

  it('gives names of the characters that need no escape anywhere', () => {
    expect(systemPlatform.randomName(2_000)).toMatch(/^[A-Za-z0-9_-]{2000}$/)
  })
})

it('every hash of a relay comes from its platform, so that a run with another one can be repeated', async () => {
  class Repeatable extends ManualPlatform {
    readonly prefix = 'hash-of:'
    override async sha256(text: string): Promise<string> {
      return this.prefix + text.replaceAll(/[^a-z]/g, '')
    }
  }
  const store = memoryStore()
  const relay = createRelay({ store, platform: new Repeatable() })
  const socket = new ProbeSocket()
  await socket.open(relay.accept(socket, { room: 'r' })).probe.join('d')
  expect((await store.load('r'))?.state[0]?.[1]).toContain('"secretHash":"hash-of:secretofd"')
  const answer = await relay.request('http://localhost/rooms/r/events', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"type":"a","id":"x","source":"s"}',
  })
  expect(await answer.json()).toMatchObject({ events: [{ id: 'h-hash-of:anonymoussx' }] })
  await relay.close()
})
