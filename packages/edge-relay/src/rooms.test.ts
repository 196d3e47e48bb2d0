/** Many rooms of one relay. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createRelay, type Relay } from './relay.ts'
import { RoomHost } from './room-host.ts'
import { ManualPlatform } from './testing/manual-platform.ts'
import { ProbeSocket } from './testing/probe.ts'

const relays: Relay[] = []
afterEach(() => Promise.all(relays.splice(0).map((relay) => relay.close())))

function setup(idleRooms: number) {
  const relay = createRelay({ platform: new ManualPlatform(), limits: { idleRooms } })
  relays.push(relay)
  const join = async (room: string) => {
    const socket = new ProbeSocket()
    const { probe } = socket.open(relay.accept(socket, { room }))
    await probe.join('d')
    return probe
  }
  const post = async (room: string) => {
    const headers = { 'content-type': 'application/json' }
    const init = { method: 'POST', headers, body: '{"type":"a.b"}' }
    const { status } = await relay.request(`http://localhost/rooms/${room}/events`, init)
    expect(status).toBe(201)
  }
  const rooms = async () => {
    const text = await (await relay.request('http://localhost/metrics')).text()
    return Number(/^crosstown_rooms_inflight (\d+)$/m.exec(text)?.[1])
  }
  return { join, post, rooms }
}

describe('rooms without connections', () => {
  it('are not looked for among all rooms there are, whenever there is a new one', async () => {
    const { join } = setup(10)
    for (let n = 0; n < 300; n++) await join(`r${n}`)
    const looks = vi.spyOn(RoomHost.prototype, 'idle', 'get')
    for (let n = 300; n < 310; n++) await join(`r${n}`)
    expect(looks.mock.calls.length).toBeLessThan(200)
    looks.mockRestore()
  })

  it('go out of memory, also where most rooms have connections, and these stay', async () => {
    const { join, post, rooms } = setup(10)
    const probes = []
    for (let n = 0; n < 50; n++) probes.push(await join(`busy${n}`))
    for (let n = 0; n < 300; n++) await post(`quiet${n}`)
    expect(await rooms()).toBeLessThan(75)
    for (const probe of probes) {
      probe.send({ frame: 'ping' })
      await probe.next('heartbeat')
    }
  })
})
