import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, it } from 'vitest'
import type * as z from 'zod'
import type { Auth } from '../auth.ts'
import { createRelay, type Relay } from '../relay.ts'
import { type Json, openApi } from './openapi.ts'
import { CloudEvent, Event, Failure, Page, Published, Stats, Status } from './schemas.ts'

const auth: Auth = (token) =>
  token === 't' ? { subject: 'ann', rights: { publish: ['**'], subscribe: ['**'] } } : undefined

interface Operation {
  readonly operationId: string
  readonly responses: Readonly<Record<string, Json>>
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly schemas: Readonly<
      Record<string, { readonly properties: Readonly<Record<string, Json>> }>
    >
  }
  readonly security: Json
}

const documentOf = async (relay: Relay): Promise<Document> =>
  (await (await relay.request('/openapi.json')).json()) as Document

/** Routes for people: pages, and no part of what programs speak. */
const PAGES = ['/inspector', '/inspector/*']

describe('the OpenAPI document', () => {
  it('is one, with auth and without', async () => {
    for (const relay of [createRelay(), createRelay({ auth })]) {
      const document = await documentOf(relay)
      const { errors, valid } = await new Validator().validate({ ...document })
      expect(errors).toBeUndefined()
      expect(valid).toBe(true)
    }
  })

  it('has every route of the relay, and no other', async () => {
    const relay = createRelay({ inspector: '.' })
    const routes = relay.routes
      .filter(({ method, path }) => method !== 'ALL' && !PAGES.includes(path))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
    const { paths } = await documentOf(relay)
    const documented = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations)
        .filter((method) => method !== 'parameters')
        .map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect([...new Set(routes)].sort()).toEqual(documented.sort())
  })

  it('says the limits of its relay, and whether it asks for tokens', async () => {
    const own = JSON.stringify(
      openApi({ auth: true, limits: { postEvents: 7, pageEvents: 9 }, version: '1' }),
    )
    expect(own).toContain('"maxItems":7')
    expect(own).toContain('"maximum":9')
    expect((await documentOf(createRelay())).security).toEqual([{}, { token: [] }])
    expect((await documentOf(createRelay({ auth }))).security).toEqual([{ token: [] }])
  })

  it('holds for what the routes answer', async () => {
    const relay = createRelay({ auth, onError: () => {} })
    const { components, paths } = await documentOf(relay)
    const headers = { authorization: 'Bearer t', 'content-type': 'application/json' }
    /** Asks; holds that the status is documented and the answer as its schema says, and no more. */
    const ask = async (
      [path, route, method]: [string, string, string],
      [name, schema]: [string, z.ZodType],
      init: RequestInit = {},
    ) => {
      const response = await relay.request(path, { method, headers, ...init })
      const status = String(response.status)
      expect(Object.keys(paths[route]?.[method.toLowerCase()]?.responses ?? {})).toContain(status)
      const body: unknown = await response.json()
      expect(schema.safeParse(body).error).toBeUndefined()
      if (name !== 'CloudEvent') {
        const known = Object.keys(components.schemas[name]?.properties ?? {})
        expect(known).toEqual(expect.arrayContaining(Object.keys(body as object)))
      }
      return { status, body: body as { events: { id: string }[] } }
    }
    const events = '/rooms/{room}/events'
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const full = {
      type: 'a.b',
      data: { x: [1] },
      id: '1',
      source: 'test',
      stream: 's',
      expectedRevision: 'none',
      time: '2030-01-31T12:00:00Z',
      version: 2,
      correlationId: 'c',
      causationId: 'd',
      traceparent,
      metadata: { a: 'b', n: 1, t: true },
    }
    const post = (body: unknown) => ({ body: JSON.stringify(body) })
    const published: [string, z.ZodType] = ['Published', Published]
    const failure: [string, z.ZodType] = ['Failure', Failure]
    const toPost: [string, string, string] = ['/rooms/r/events', events, 'POST']
    const { body, status } = await ask(toPost, published, post(full))
    expect(status).toBe('201')
    expect((await ask(toPost, published, post([full]))).status).toBe('200')
    expect((await ask(toPost, failure, post({ ...full, id: '2' }))).status).toBe('409')
    expect((await ask(toPost, failure, post({ type: 'a b' }))).status).toBe('400')
    expect((await ask(toPost, failure, { ...post(full), headers: {} })).status).toBe('401')
    await ask(['/rooms/r/events?limit=1', events, 'GET'], ['Page', Page])
    await ask(['/rooms/none/events', events, 'GET'], ['Page', Page])
    expect((await ask(['/rooms/r/events?after=x.1.y', events, 'GET'], failure)).status).toBe('404')
    const one = `/rooms/r/events/${body.events[0]?.id}`
    await ask([one, '/rooms/{room}/events/{id}', 'GET'], ['Event', Event])
    const accept = { headers: { ...headers, accept: 'application/cloudevents+json' } }
    await ask([one, '/rooms/{room}/events/{id}', 'GET'], ['CloudEvent', CloudEvent], accept)
    await ask(['/rooms/r/stats', '/rooms/{room}/stats', 'GET'], ['Stats', Stats])
    await ask(['/rooms/none/stats', '/rooms/{room}/stats', 'GET'], failure)
    await ask(['/rooms/r/socket', '/rooms/{room}/socket', 'GET'], failure)
    await ask(['/health', '/health', 'GET'], ['Status', Status])
    await ask(['/ready', '/ready', 'GET'], ['Status', Status])
    await ask(['/metrics', '/metrics', 'GET'], failure)
    relay.drain()
    expect((await ask(['/ready', '/ready', 'GET'], failure)).status).toBe('503')
  })
})
