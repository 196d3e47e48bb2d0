/** What a device of a kill run counts as a fault of the relay, and what it does not. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  BUS_ERROR_CODES,
  type BusErrorCode,
  encodeFrame,
  SUBPROTOCOL,
} from '@crosstown/bus/protocol'
import { Random } from '@crosstown/bus/testing'
import { expect, it, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { KillDevice } from './kill-device.ts'

it('having waited at the gate for too long, or for an engine that is gone, is no fault of the run; any other error is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kill-device-'))
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    handleProtocols: () => SUBPROTOCOL,
  })
  let code: BusErrorCode = 'timeout'
  let met = 0
  const told: BusErrorCode[] = []
  server.on('connection', (socket) => {
    met += 1
    told.push(code)
    socket.send(encodeFrame({ frame: 'error', code, message: `said ${code}` }))
    socket.close(BUS_ERROR_CODES[code], code)
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const device = new KillDevice('d', `ws://127.0.0.1:${port}`, folder, new Random(1))
  try {
    await device.bus.publish('load.said', { by: 'd', n: 0, text: '' }, { until: 'logged' })
    await vi.waitFor(() => expect(met).toBeGreaterThan(1), 30_000)
    code = 'unavailable'
    await vi.waitFor(() => expect(told).toContain(code), 30_000)
    expect(device.failures).toEqual([])
    code = 'bad_frame'
    await vi.waitFor(() => expect(device.failures).toMatchObject([{ code: 'bad_frame' }]), 30_000)
  } finally {
    await device.bus.close()
    server.close()
    await rm(folder, { recursive: true, force: true })
  }
})
