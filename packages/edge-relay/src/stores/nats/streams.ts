/** The two streams of a store: made where they are missing, and looked at where they are there. */
import { BusError } from '@crosstown/bus/protocol'
import {
  JetStreamApiError,
  type JetStreamManager,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream'
import { DELETED_EPOCHS, DELETED_LOGS } from '../store.ts'

/** Of the messages, as the description of the stream has it. */
const FORMAT = 1
const DESCRIBED = /^Rooms of Crosstown, format (\d+)$/
const KINDS = ['log.*', 'part.*.*', 'snap.*.*', 'chunk.*.*', 'dead.*.*']
const NOT_FOUND = 10059
/** Somebody made it meanwhile. */
const NAME_IN_USE = 10058

/** @throws {BusError} log_unavailable, log_damaged: as they are they cannot be used */
export async function prepareStreams(
  jsm: JetStreamManager,
  name: string,
  replicas: number,
): Promise<StreamConfig> {
  const common = {
    storage: 'file',
    retention: 'limits',
    num_replicas: replicas,
    allow_direct: true,
    description: `Rooms of Crosstown, format ${FORMAT}`,
  } as const
  const rooms = await prepared(jsm, {
    ...common,
    name,
    subjects: KINDS.map((kind) => `${name}.${kind}`),
    discard: 'new',
  })
  // The oldest deletions are forgotten by the engine's own means.
  const deletions = await prepared(jsm, {
    ...common,
    name: `${name}_deleted`,
    subjects: [`${name}.deleted.*`],
    discard: 'old',
    max_msgs: DELETED_LOGS,
    max_msgs_per_subject: DELETED_EPOCHS,
  })
  check(rooms, KINDS.length)
  check(deletions, 1)
  return rooms
}

async function prepared(
  jsm: JetStreamManager,
  wanted: Partial<StreamConfig> & { readonly name: string },
): Promise<StreamConfig> {
  return (await found(jsm, wanted.name))?.config ?? made(jsm, wanted)
}

async function found(jsm: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await jsm.streams.info(name)
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === NOT_FOUND) return undefined
    throw error
  }
}

async function made(
  jsm: JetStreamManager,
  wanted: Partial<StreamConfig> & { readonly name: string },
): Promise<StreamConfig> {
  try {
    return (await jsm.streams.add(wanted)).config
  } catch (cause) {
    if (!(cause instanceof JetStreamApiError)) throw cause
    const other = cause.code === NAME_IN_USE ? await found(jsm, wanted.name) : undefined
    if (other) return other.config
    throw refusal(`its stream ${wanted.name} cannot be made: ${cause.message}`, cause)
  }
}

/** What an operator may have made it with: limits that refuse are his, ones that remove are not for rooms. */
function check(config: StreamConfig, subjects: number): void {
  const { name, description = '' } = config
  const format = DESCRIBED.exec(description)?.[1]
  if (format === undefined || config.subjects.length !== subjects) {
    const what = `there is a stream ${name} that is not of a relay`
    throw refusal(`${what}; give this one another name with the option stream`)
  }
  if (Number(format) !== FORMAT) {
    const what = `the stream ${name} has format ${format}, and this relay knows ${FORMAT}`
    throw new BusError('log_damaged', `${what}: use the relay that made it, or another stream`)
  }
  const wrong = [
    ['retention', config.retention !== 'limits', 'limits'],
    ['max_age', config.max_age > 0, 'none'],
    ['allow_direct', !config.allow_direct, 'true'],
    ['deny_delete', config.deny_delete, 'false'],
    ['deny_purge', config.deny_purge, 'false'],
    ['sealed', config.sealed, 'false'],
    ['no_ack', config.no_ack === true, 'false'],
    ['discard', subjects > 1 && config.discard !== 'new', 'new'],
    ['max_msgs_per_subject', subjects > 1 && config.max_msgs_per_subject > 0, 'none'],
  ] as const
  for (const [option, isWrong, value] of wrong) {
    if (isWrong) throw refusal(`of its stream ${name}, ${option} must be ${value}`)
  }
}

function refusal(what: string, cause?: unknown): BusError {
  const message = `NATS cannot be used: ${what}`
  return new BusError('log_unavailable', message, { stage: 'log', cause })
}
