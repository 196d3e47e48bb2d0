/** What must compile and what must not; checked by the type checker alone, never run. */
import * as v from 'valibot'
import * as z from 'zod'
import {
  type Ask,
  type BatchEntry,
  type Bus,
  type BusEvent,
  createBus,
  type EventOf,
  type PatternOf,
  type Projection,
  portLink,
} from './index.ts'

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function expectType<Expected>(): <Actual>(
  value: Actual,
) => Equal<Actual, Expected> extends true ? true : false
const yes = (_: true): void => {}

type Shop = {
  'cart.item_added': { sku: string }
  'cart.item_removed': { sku: string; reason?: string }
  'cart.cleared': void
  'order.created': { id: number }
  'order.line.added': { line: number }
  ping: undefined
}
interface ShopInterface {
  'cart.item_added': { sku: string }
  'cart.cleared': void
}

const bus = createBus<Shop>({ name: 'shop' })
const byInterface = createBus<ShopInterface>({ name: 'shop' })
const open = createBus({ name: 'open' })

// ── publish ──
void bus.publish('cart.item_added', { sku: 'A1' })
void bus.publish('cart.cleared')
void bus.publish('cart.cleared', undefined, { stream: 'cart-1' })
void bus.publish('ping')
void byInterface.publish('cart.item_added', { sku: 'A1' }, { until: 'accepted' })
void open.publish('anything.at.all', { x: 1 })
void open.publish('anything')
void bus.publish('ping', undefined, { stream: 's', expectedRevision: 'none' })
void bus.publish('ping', undefined, { stream: 's', expectedRevision: 3, until: 'logged' })
void bus.publishBatch([{ type: 'ping', stream: 's', expectedRevision: 'exists' }])
// @ts-expect-error a revision is that of a stream
void bus.publish('ping', undefined, { expectedRevision: 3 })
// @ts-expect-error no such word
void bus.publish('ping', undefined, { stream: 's', expectedRevision: 'some' })
// @ts-expect-error a revision is that of a stream
void bus.publishBatch([{ type: 'ping', expectedRevision: 1 }])
void bus.loadStream('s', { fromRevision: 2 })
const published = await bus.publish('cart.item_added', { sku: 'A1' })
yes(expectType<BusEvent<'cart.item_added', { sku: string }>>()(published))

// @ts-expect-error no such type
void bus.publish('cart.item_aded', { sku: 'A1' })
// @ts-expect-error the data is missing
void bus.publish('cart.item_added')
// @ts-expect-error the data is of another type
void bus.publish('cart.item_added', { sku: 1 })
// @ts-expect-error a void event takes no data
void bus.publish('cart.cleared', { sku: 'A1' })
// @ts-expect-error no such level
void bus.publish('cart.cleared', undefined, { until: 'delivered' })
// @ts-expect-error no such scope
void bus.publish('cart.cleared', undefined, { scope: 'world' })
// @ts-expect-error metadata is flat
void bus.publish('cart.cleared', undefined, { metadata: { user: { id: 1 } } })
// @ts-expect-error types of ours cannot be published
void bus.publish('$event.refused', {})

// ── publishBatch ──
const batch = await bus.publishBatch([
  { type: 'cart.item_added', data: { sku: 'A1' }, stream: 'cart-1' },
  { type: 'cart.cleared' },
])
yes(expectType<EventOf<Shop, keyof Shop & string>[]>()(batch))
// @ts-expect-error the data of one entry is of another type
void bus.publishBatch([{ type: 'order.created', data: { sku: 'A1' } }])
// @ts-expect-error the data of one entry is missing
void bus.publishBatch([{ type: 'order.created' }])
const entry: BatchEntry<Shop> = { type: 'ping' }
void bus.publishBatch([entry])

// ── subscribe: patterns as discriminated unions ──
bus.subscribe('cart.item_added', (event) => {
  yes(expectType<BusEvent<'cart.item_added', { sku: string }>>()(event))
})
bus.subscribe('cart.*', (event) => {
  yes(expectType<'cart.item_added' | 'cart.item_removed' | 'cart.cleared'>()(event.type))
  if (event.type === 'cart.item_removed') yes(expectType<string | undefined>()(event.data.reason))
  // @ts-expect-error not narrowed yet
  event.data.reason
})
bus.subscribe('order.**', (event) => {
  yes(expectType<'order.created' | 'order.line.added'>()(event.type))
})
bus.subscribe('order.*', (event) => yes(expectType<'order.created'>()(event.type)))
bus.subscribe('*.line.*', (event) => yes(expectType<'order.line.added'>()(event.type)))
bus.subscribe('*', (event) => yes(expectType<keyof Shop>()(event.type)))
bus.subscribe('**', (event) => yes(expectType<keyof Shop>()(event.type)))
bus.subscribe(['cart.cleared', 'order.*'], (event) => {
  yes(expectType<'cart.cleared' | 'order.created'>()(event.type))
})
bus.subscribe('$event.refused', (event) => event.data.code)
byInterface.subscribe('cart.*', (event) => {
  yes(expectType<'cart.item_added' | 'cart.cleared'>()(event.type))
})
open.subscribe('$event.refused', (event) => event.data.code)
open.subscribe('anything.**', (event) => yes(expectType<unknown>()(event.data)))
bus.subscribe(
  'cart.*',
  (events, ctx) => {
    const [first] = events
    yes(expectType<boolean>()(ctx.signal.aborted))
    if (first?.type === 'cart.item_added') yes(expectType<{ sku: string }>()(first.data))
    // @ts-expect-error a list has no one event to carry on
    void ctx.publish
  },
  { batch: { size: 10, ms: 100 } },
)
bus.subscribe('ping', (event) => yes(expectType<'ping'>()(event.type)), {
  retry: { attempts: 3, backoff: { base: 10 } },
  timeout: 10,
  concurrency: 2,
  policy: { execute: async (run) => run() },
})
// @ts-expect-error no such way to overflow
bus.subscribe('cart.*', () => {}, { overflow: 'throw' })
// @ts-expect-error a list needs both
bus.subscribe('cart.*', () => {}, { batch: { size: 10 } })
bus.subscribe('$error', ({ data }) => yes(expectType<string>()(data.message)))
bus.use({
  publish: (event, next) => next({ ...event, data: 1 }),
  handle: (event, next) => (event.type === 'ping' ? next() : undefined),
})
void bus.publishError(new Error('x')).then(({ data }) => yes(expectType<string>()(data.name)))
yes(expectType<number>()(bus.stats().types['ping']!.handled))
bus.subscribe('cart.*', async (event, ctx) => {
  const answer = await ctx.publish('order.created', { id: event.time })
  yes(expectType<number>()(answer.data.id))
  // @ts-expect-error an answer is checked as any other publish
  void ctx.publish('order.created', { id: 'x' })
})

// @ts-expect-error the pattern matches nothing
bus.subscribe('crat.*', () => {})
// @ts-expect-error one segment too many
bus.subscribe('cart.*.*', () => {})
// @ts-expect-error one of the patterns matches nothing
bus.subscribe(['cart.*', 'orders.*'], () => {})
// @ts-expect-error from is not a boolean
bus.subscribe('cart.*', () => {}, { from: true })

const off = bus.subscribe('cart.*', () => {}, {
  from: { last: 10 },
  where: (event) => event.type === 'cart.cleared',
  signal: AbortSignal.timeout(1),
})
off()
{
  using _subscription = bus.subscribe('cart.*', () => {})
}

// ── once, events, get ──
yes(expectType<BusEvent<'order.created', { id: number }>>()(await bus.once('order.created')))
for await (const event of bus.events('cart.*', {
  from: 'start',
  buffer: 10,
  overflow: 'drop-oldest',
})) {
  yes(expectType<'cart.item_added' | 'cart.item_removed' | 'cart.cleared'>()(event.type))
}
const found = await bus.get('id')
yes(expectType<EventOf<Shop, keyof Shop> | undefined>()(found))
// @ts-expect-error 'block' would hold the publisher back, which a loop cannot do
bus.events('cart.*', { overflow: 'block' })

// ── schemas ──
const typed = createBus({
  name: 'typed',
  events: {
    'user.created': z.object({ name: z.string(), age: z.coerce.number() }),
    'user.seen': v.pipe(v.string(), v.transform(Number)),
  },
})
void typed.publish('user.created', { name: 'a', age: '7' })
void typed.publish('user.seen', '42')
typed.subscribe('user.seen', (event) => yes(expectType<number>()(event.data)))
typed.subscribe('user.created', (event) =>
  yes(expectType<{ name: string; age: number }>()(event.data)),
)
// @ts-expect-error the schema takes a string
void typed.publish('user.seen', 42)
// @ts-expect-error no such type
void typed.publish('user.deleted', {})

// ── versions ──
const versioned = createBus({
  name: 'versioned',
  unknown: 'error',
  events: {
    'user.created': z.object({ name: z.string() }),
    'user.moved': {
      schema: z.object({ city: z.string(), since: z.coerce.number() }),
      version: 3,
      upcast: {
        1: (data: { town: string }) => ({ city: data.town }),
        2: (data, event) => ({ ...data, since: event.time }),
      },
    },
    'user.left': { version: 2, upcast: { 1: () => null } },
  },
})
void versioned.publish('user.moved', { city: 'Ulm', since: '7' })
void versioned.publish('user.left', 'anything')
versioned.subscribe('user.moved', (event) =>
  yes(expectType<{ city: string; since: number }>()(event.data)),
)
versioned.subscribe('user.left', (event) => yes(expectType<unknown>()(event.data)))
versioned.subscribe('user.created', (event) => yes(expectType<{ name: string }>()(event.data)))
// @ts-expect-error the data is that of the current version
void versioned.publish('user.moved', { town: 'Ulm' })
// @ts-expect-error a type with versions says which is the current one
createBus({ name: 'x', events: { a: { upcast: { 1: () => 1 } } } })
// @ts-expect-error an upcaster is a function
createBus({ name: 'x', events: { a: { version: 2, upcast: { 1: {} } } } })
// @ts-expect-error no such policy
createBus({ name: 'x', events: {}, unknown: 'drop' })

const given = createBus<Shop>({
  name: 'given',
  unknown: 'ignore',
  events: {
    'cart.item_added': { version: 2, upcast: { 1: (data: string) => ({ sku: data }) } },
    'order.created': z.object({ id: z.number() }),
    'order.line.added': { schema: z.object({ line: z.number() }), version: 1 },
  },
})
usesCart(given)
// @ts-expect-error no such type
createBus<Shop>({ name: 'x', events: { 'cart.gone': { version: 1 } } })
// @ts-expect-error the schema is of other data
createBus<Shop>({ name: 'x', events: { 'order.created': z.object({ id: z.string() }) } })
// @ts-expect-error the schema gives something else than handlers are said to see
createBus<Shop>({ name: 'x', events: { 'order.created': { schema: z.string(), version: 1 } } })

// ── replay ──
for await (const event of bus.replay()) yes(expectType<Shop[keyof Shop]>()(event.data))
for await (const event of bus.replay({ pattern: 'order.created', order: 'room', speed: 2 }))
  yes(expectType<Shop['order.created']>()(event.data))
void bus.loadStream('order-7').then(([event]) => event?.type === 'order.created' && event.data.id)
// @ts-expect-error no such type
bus.replay({ pattern: 'cart.gone' })
// @ts-expect-error no such order
bus.replay({ order: 'time' })

// ── views ──
const view = bus.project(
  ['order.created', 'cart.*'],
  (total: number, event) => (event.type === 'order.created' ? total + event.data.id : total),
  0,
  { key: 'total', version: 2 },
)
yes(expectType<number>()(view.get()))
view.subscribe((total) => yes(expectType<number>()(total)))
void view.ready.then(() => view.close())
const counted: Projection<{ count: number }> = bus.project('**', (state) => state, { count: 0 })
void counted
// @ts-expect-error no such type
bus.project('cart.gone', (state) => state, 0)
// @ts-expect-error a state of another type
bus.project('order.created', (_: number) => 'one', 0)
open.project('cart.*', (_, event) => expectType<string>()(event.type), true)

// ── a bus can be passed on ──
function usesCart(shop: Bus<Shop>): void {
  void shop.publish('cart.cleared')
}
usesCart(bus)
const pattern: PatternOf<Shop> = 'order.line.*'
void pattern

// ── a bus of any map, in generic code ──
function anyBus<E extends object>(any: Bus<E>): void {
  any.subscribe('**', (event) => yes(expectType<string>()(event.id)))
  any.subscribe('*', (event, ctx) => [event.time, ctx.origin])
  any.subscribe('$event.refused', (event) => event.data.code)
  any.subscribe(['**', '$event.refused'], (event) => event.id)
  void any.once('**').then((event) => event.id)
  any.events('**')
  any.replay()
  any.replay({ pattern: '**' })
}
anyBus(bus)
anyBus(byInterface)
anyBus(open)
async function publishAny<E extends object, T extends keyof E & string>(
  any: Bus<E>,
  type: T,
  data: E[T],
): Promise<string> {
  const event = await any.publish(type, data)
  await any.publish(type, data, { until: 'accepted' })
  any.subscribe('**', (_, ctx) => ctx.publish(type, data))
  // @ts-expect-error the data is of another type
  void any.publish(type, 1)
  // @ts-expect-error the data may be missing for some types only
  void any.publish(type)
  return event.id
}
void publishAny(bus, 'order.created', { id: 1 })

// ── what is undefined is absent ──
const maybe = <T>(): T | undefined => undefined
void bus.publish('cart.cleared', undefined, {
  stream: maybe<string>(),
  correlationId: maybe<string>(),
  causationId: maybe<string>(),
  traceparent: maybe<string>(),
  metadata: maybe<{ userId: string }>(),
  scope: maybe<'device'>(),
  persist: maybe<boolean>(),
  version: maybe<number>(),
  until: maybe<'logged'>(),
  signal: maybe<AbortSignal>(),
})
void bus.publishBatch([{ type: 'cart.cleared', data: undefined, stream: maybe<string>() }], {
  until: maybe<'logged'>(),
  signal: maybe<AbortSignal>(),
})
bus.subscribe('ping', () => {}, {
  signal: maybe<AbortSignal>(),
  from: maybe<'start'>(),
  where: maybe<() => boolean>(),
})
void bus.once('ping', { signal: maybe<AbortSignal>(), where: maybe<() => boolean>() })
bus.events('ping', { buffer: maybe<number>(), overflow: maybe<'error'>(), from: maybe<Date>() })
bus.replay({
  pattern: ['cart.cleared', 'order.*'],
  from: maybe<Date>(),
  to: maybe<number>(),
  stream: maybe<string>(),
  correlationId: maybe<string>(),
  limit: maybe<number>(),
  order: maybe<'room'>(),
  speed: maybe<'original'>(),
  signal: maybe<AbortSignal>(),
  onProgress: ({ done, total, events }) => done / total + events,
})
void bus.flush({ until: maybe<'logged'>(), signal: maybe<AbortSignal>() })
void bus.close({ timeout: maybe<number>() })
createBus({
  name: 'x',
  source: maybe<string>(),
  log: maybe<false>(),
  tabs: maybe<boolean>(),
  relay: undefined,
  limits: maybe<{ queueEvents: number | undefined; queueBytes: number | undefined }>(),
  onError: maybe<() => void>(),
  onGap: maybe<() => void>(),
})

declare const port: MessagePort
declare const worker: Worker
const origins = ['https://widget.example']
createBus({
  name: 'x',
  links: [
    portLink(port),
    portLink(worker, { origins }),
    portLink(window.parent, { origins }),
    portLink(document.querySelector('iframe')?.contentWindow ?? null, { origins, channel: 'b' }),
    { send(_text) {}, receive(_receiver) {}, close() {} },
    { open: () => undefined },
  ],
})
createBus({ name: 'x', links: maybe<[]>() })
createBus<Shop>({ name: 'x', events: maybe<{ ping: { version: 1 } }>(), unknown: maybe<'error'>() })
// @ts-expect-error which origins a window may have must be said
portLink(window.parent)
// @ts-expect-error a link receives
createBus({ name: 'x', links: [{ send() {}, close() {} }] })

// @ts-expect-error a name is needed
createBus({})
// @ts-expect-error no such option
createBus({ name: 'x', persist: true })
await using disposable = createBus({ name: 'x' })
void disposable

// ── requests ──
type Asking = {
  'price.of': Ask<{ sku: string }, { cents: number }>
  'name.of': Ask<string, string>
  'time.now': Ask<void, Date>
  'cart.cleared': void
  'order.created': { id: number }
}
const asking = createBus<Asking>({ name: 'shop' })
yes(expectType<{ cents: number }>()(await asking.request('price.of', { sku: 'A1' })))
yes(expectType<string>()(await asking.request('name.of', 'A1', { timeout: 10 })))
yes(expectType<Date>()(await asking.request('time.now')))
yes(expectType<Date>()(await asking.request('time.now', undefined, { scope: 'device' })))
yes(expectType<unknown>()(await asking.request('order.created', { id: 1 })))
yes(expectType<unknown>()(await asking.request('cart.cleared')))
// @ts-expect-error no data
void asking.request('price.of')
// @ts-expect-error other data
void asking.request('price.of', { name: 'A1' })
// @ts-expect-error no such type
void asking.request('price', { sku: 'A1' })
const { rows } = await open.request('rows.of', { table: 'a' })
void rows
using _price = asking.respond('price.of', ({ data }, { signal, publish }) => {
  yes(expectType<string>()(data.sku))
  void publish('order.created', { id: signal.aborted ? 0 : 1 })
  return { cents: 1 }
})
asking.respond('price.of', async () => ({ cents: 1 }))
asking.respond('name.of', (event) => event.data.toUpperCase())
asking.respond('time.now', () => new Date())
asking.respond('order.created', () => undefined)
open.respond('rows.of', () => ({ rows: [] }))
// @ts-expect-error another reply
asking.respond('price.of', () => ({ dollars: 1 }))
// @ts-expect-error another reply
asking.respond('time.now', () => 'now')
// What is asked may also be an event like any other.
void asking.publish('price.of', { sku: 'A1' })
asking.subscribe('price.*', (event) => yes(expectType<string>()(event.data.sku)))
const ms: number = await asking.ping({ timeout: 100 })
void ms
