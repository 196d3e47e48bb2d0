// A context in a run: its bus, and what the run's account has of it.
import type { Bus, BusEvent } from '@crosstown/bus'
import type { TestBusOptions, TestContext, TestDevice } from '@crosstown/bus/testing'
import type { Heard, Instance } from './ledger.ts'
import { openViews, type Views } from './views.ts'

/** The one bus name and room of a run. */
export const NAME = 'app'
export const ROOM = 'room'

export interface Data {
  readonly key: string
  readonly persist: boolean
  /** Changed right after the event was published. */
  mark: string
}

/** What `mark` is when an event is published. */
export const PRISTINE = 'as published'
/** What a device reads that reads only some. */
export const SOME_TYPES: readonly string[] = ['fact.stated', 'fact.cursed']
/** Events that may wait for a log at most. */
export const QUEUE_EVENTS = 40

export type AnyBus = Bus<Record<string, Data>>

export interface Place {
  /** How often it was hidden, shown, frozen. */
  disturbed: number
  readonly context: TestContext
  readonly bus: AnyBus
  readonly instance: Instance
  readonly views?: Views
}

/** A bus in a context, with subscriptions that keep account of what they hear. */
export function openPlace(
  context: TestContext,
  instance: Instance,
  {
    token,
    ...options
  }: Pick<TestBusOptions, 'types' | 'limits'> & { readonly token: () => string },
  withViews: boolean,
): Place {
  let user = token()
  const bus: AnyBus = context.createBus({
    name: NAME,
    room: ROOM,
    ...options,
    token: () => {
      user = token()
      return user
    },
    source: instance.name,
    onError: (error) => instance.errors.push(error),
    onGap: (gap) => instance.gaps.push(gap),
  })
  bus.subscribe('fact.cursed', () => {
    throw new Error('cursed')
  })
  bus.subscribe('**', (event, { origin }) => void instance.live.push(heard(event, origin)))
  bus.subscribe('**', (event, { origin }) => void instance.all.push(heard(event, origin)), {
    from: 'start',
  })
  bus.status.subscribe(({ log, relay }) => {
    if (log.state === 'open' && instance.disk) void ready(instance)
    if (log.kind === 'memory') instance.memory = true
    if (instance.memory && relay === 'online') instance.owner ??= user
  })
  const views = withViews && instance.disk ? { views: openViews(bus) } : undefined
  return { disturbed: 0, context, bus, instance, ...views }
}

/** From which record on it hears everything; anew where it got another log. */
async function ready(instance: Instance): Promise<void> {
  const { logId, head } = await instance.device.disk(NAME, ROOM).log.state()
  if (instance.logId === logId) return
  instance.logId = logId
  instance.ready = head.batch
}

function heard({ id, data, scope, type }: BusEvent, origin: string): Heard {
  if (type.startsWith('$')) return { id, key: '', persist: true, scope, pristine: true }
  const { key, persist, mark } = data as Data
  return { id, key, persist, scope, pristine: origin === 'self' || mark === PRISTINE }
}

/** Clears the log of a context, for all that share it. */
export async function clearPlace({ bus, instance }: Place): Promise<void> {
  const cleared = bus.clear()
  if (instance.memory) {
    instance.cleared = true
    instance.owner = undefined
  }
  await cleared
}

/** A page that people see, whose log is open. */
export function canLead({ context, instance, bus }: Place, device: TestDevice): boolean {
  return (
    instance.device === device &&
    context.alive &&
    !context.frozen &&
    context.lifecycle.visibility() === 'visible' &&
    bus.status.get().log.state === 'open'
  )
}
