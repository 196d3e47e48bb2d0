/** A server that goes while a relay makes its connections. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, connect as dial, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type EngineServer, startPostgres } from '../testing/engine-servers.ts'
import { postgresStore } from './postgres.ts'
import type { Store } from './store.ts'

const TRIES = 14
const PATIENCE_MS = 60_000
const SOCKET = '.s.PGSQL.5432'

describe.skipIf(!startPostgres)('postgresStore', () => {
  let server: EngineServer
  let folder = ''
  beforeEach(async () => {
    server = await (startPostgres as NonNullable<typeof startPostgres>)()
    folder = await mkdtemp(join(tmpdir(), 'postgres-lost-'))
  })
  afterEach(async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })

  it('ends no process where a connection breaks off, or stands still, at any step of being made', async () => {
    const sockets = new Set<Socket>()
    let made = 0
    const proxy = createServer((client) => {
      const real = dial(join(server.folder, SOCKET))
      for (const socket of [client, real]) {
        sockets.add(socket.on('error', () => {}))
        socket.on('close', () => sockets.delete(socket))
      }
      // The first is let say nothing, the next one thing, and so on; every other one is then left hanging.
      const number = made++
      let left = number < TRIES ? number >> 1 : Number.POSITIVE_INFINITY
      client.on('data', (chunk) => {
        if (left-- > 0) real.write(chunk)
        else if (number % 2 === 0) client.destroy()
      })
      real.on('data', (chunk) => client.write(chunk))
      client.on('close', () => real.destroy())
      real.on('close', () => client.destroy())
    }).listen(join(folder, SOCKET))
    await once(proxy, 'listening')
    const uncaught: unknown[] = []
    const note = (error: unknown): unknown => uncaught.push(error)
    process.on('unhandledRejection', note)
    let store: Store | undefined
    try {
      store = await postgresStore(
        `postgres://relay@localhost/postgres?host=${folder}&silence_ms=200`,
      )
      const { connection } = store
      await vi.waitFor(() => expect(connection?.get().state).toBe('online'), PATIENCE_MS)
      expect(await vi.waitFor(() => store?.rooms('', 1), PATIENCE_MS)).toEqual([])
      expect(made).toBeGreaterThan(TRIES)
      expect(uncaught).toEqual([])
    } finally {
      process.off('unhandledRejection', note)
      await store?.close()
      for (const socket of sockets) socket.destroy()
      proxy.close()
    }
  })
})
