/** The routes of rooms, for those who have no socket: who asks is counted, and has to be known. */
import type { Hono } from 'hono'
import type { Gate } from '../guard/gate.ts'
import type { Readers } from '../readers.ts'
import type { Store } from '../stores/store.ts'
import { answerEvent, answerPage, answerStream, wantsStream } from './answers.ts'
import { type CallerAddress, identifyCaller } from './caller.ts'
import { type RelayEnv, roomOf } from './env.ts'
import { addGroupRoutes, type GroupService } from './groups.ts'
import { answerPost, type Posting } from './post.ts'
import { answerDelete, answerStats } from './rooms.ts'

/** What these routes ask. */
export interface RoomService extends Posting, Pick<GroupService, 'host'> {
  readonly store: Store
  readonly readers: Readers
  readonly gate: Gate
  readonly addressOf: CallerAddress
  /** Devices that are connected to a room. */
  readonly connections: (room: string) => number
  readonly deleteRoom: (room: string, subject: string) => Promise<boolean>
  readonly report: (error: unknown, room?: string) => void
}

export function addRoomRoutes(app: Hono<RelayEnv>, service: RoomService): void {
  const { addressOf, authorizing, gate, store } = service
  app.use('/rooms/:room/*', async (c, next) => {
    const address = addressOf(c)
    gate.request(address)
    const leave = gate.enter(address)
    c.set('leave', leave)
    try {
      c.set('identity', await identifyCaller(c, authorizing))
      await next()
    } finally {
      if (!c.var.held) leave()
    }
  })
  app.post('/rooms/:room/events', (c) =>
    answerPost(c, service, { room: roomOf(c), identity: c.var.identity }),
  )
  app.get('/rooms/:room/events', async (c) => {
    const { identity, leave } = c.var
    if (!wantsStream(c)) return answerPage(c, service, { room: roomOf(c), identity })
    const given = { room: roomOf(c), identity, cut: c.env?.cut, ended: leave }
    const stream = await answerStream(c, service, given)
    // It goes on when this is answered, and leaves when it ends.
    c.set('held', true)
    return stream
  })
  app.get('/rooms/:room/events/:id', (c) =>
    answerEvent(c, service, { room: roomOf(c), identity: c.var.identity }),
  )
  app.get('/rooms/:room/stats', (c) => {
    const room = roomOf(c)
    return answerStats(c, store, room, service.connections(room))
  })
  addGroupRoutes(app, service)
  app.delete('/rooms/:room', (c) => {
    const { identity } = c.var
    return answerDelete(c, identity, () => service.deleteRoom(roomOf(c), identity.subject))
  })
}
