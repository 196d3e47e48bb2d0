/** The routes about the groups of a room: what they do, and what they could not. */
import { BusError, typeMatcher } from '@crosstown/bus/protocol'
import type { Context, Hono } from 'hono'
import { GroupOperator, shownMember } from '../group/operate.ts'
import type { RoomHost } from '../room-host.ts'
import type { Store } from '../stores/store.ts'
import { type RelayEnv, roomOf } from './env.ts'
import { badRequest } from './errors.ts'
import { eventText } from './event-text.ts'

/** What these routes ask. */
export interface GroupService {
  readonly store: Store
  readonly host: (room: string) => RoomHost
}

/** Letters of one page. */
const PAGE = 100

export function addGroupRoutes(app: Hono<RelayEnv>, service: GroupService): void {
  app.get('/rooms/:room/groups', (c) =>
    operate(c, service, async (operator, host) =>
      c.json({ groups: operator.list(host.head.place) }),
    ),
  )
  app.delete('/rooms/:room/groups/:group', (c) =>
    operate(c, service, async (operator) => {
      await operator.delete(groupOf(c))
      return c.body(null, 204)
    }),
  )
  app.get('/rooms/:room/groups/:group/dead', (c) =>
    operate(c, service, async (operator, host) => {
      const after = wholeNumber(c.req.query('after') ?? '0', 'after')
      return letters(c, operator, after, host.head.epoch)
    }),
  )
  app.delete('/rooms/:room/groups/:group/dead', (c) => settle(c, service, 'drop'))
  app.delete('/rooms/:room/groups/:group/dead/:place', (c) => settle(c, service, 'drop'))
  app.post('/rooms/:room/groups/:group/redrive', (c) => settle(c, service, 'redrive'))
  app.post('/rooms/:room/groups/:group/redrive/:place', (c) => settle(c, service, 'redrive'))
}

/** @throws {BusError} forbidden, not_found, unavailable */
async function operate(
  c: Context<RelayEnv>,
  { host: hostOf, store }: GroupService,
  run: (operator: GroupOperator, host: RoomHost) => Promise<Response>,
): Promise<Response> {
  if (c.var.identity.rights.groups !== true)
    throw new BusError('forbidden', 'the token does not allow to operate groups')
  const room = roomOf(c)
  const host = hostOf(room)
  const release = host.retain()
  try {
    await host.open()
    return await run(new GroupOperator(host.groups, store, room), host)
  } finally {
    release()
  }
}

function settle(
  c: Context<RelayEnv>,
  service: GroupService,
  kind: 'redrive' | 'drop',
): Promise<Response> {
  return operate(c, service, async (operator) => {
    const given = c.req.param('place')
    const place = given === undefined ? undefined : wholeNumber(given, 'place')
    return c.json({ count: await operator.settle(kind, groupOf(c), place) })
  })
}

async function letters(
  c: Context<RelayEnv>,
  operator: GroupOperator,
  after: number,
  epoch: string,
): Promise<Response> {
  const found = await operator.letters(groupOf(c), after, PAGE)
  const { history, subscribe } = c.var.identity.rights
  const mayRead = history === false ? () => false : typeMatcher(subscribe)
  const texts = found.map(({ found: event, letter }) => {
    const { member, ...rest } = letter
    const shown = { ...rest, ...(member !== undefined && { member: shownMember(member) }) }
    const text = JSON.stringify(shown)
    if (!event || !mayRead(letter.type)) return text
    return `${text.slice(0, -1)},"event":${eventText(epoch, event.record, event.index)}}`
  })
  const last = found.at(-1)
  const next = found.length === PAGE && last ? `,"next":${last.number}` : ''
  return c.body(`{"letters":[${texts.join(',')}]${next}}`, 200, {
    'Content-Type': 'application/json',
  })
}

function groupOf(c: Context<RelayEnv>): string {
  return c.req.param('group') ?? ''
}

function wholeNumber(text: string, what: string): number {
  const number = Number(text)
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(number)) return number
  throw badRequest(`${what} must be a whole number`)
}
