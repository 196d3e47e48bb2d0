/** The settings that a relay's rooms can be kept with, and what each of them is held to. */
import { type StartEngine, startNats, startPostgres, startRedis } from './engine-servers.ts'

/** How an engine ends: its process, by SIGKILL, or its machine, by a cut of the power. */
export type End = 'process' | 'machine'

/**
 * What an end may take of what was confirmed: `nothing`, ever; `some`, which a run under load finds; or
 * `rarely` some, which a run may find.
 */
export type Loss = 'nothing' | 'some' | 'rarely'

export interface Setting {
  /** As docs/durability.md has it. */
  readonly engine: string
  readonly setting: string
  readonly loses: Readonly<Record<End, Loss>>
  /** How much is some. @default 'the newest' */
  readonly some?: string
  /** Starts the engine; `undefined` where it is not installed; absent where it is the relay itself. */
  readonly start?: StartEngine | undefined
  /** Arguments of the engine in this setting. */
  readonly settings?: readonly string[]
  /** `--store`, where the engine is the relay itself; or what the URL of the engine has more. */
  readonly store: string
}

const NOTHING = { process: 'nothing', machine: 'nothing' } as const
const AT_MACHINE = { process: 'nothing', machine: 'some' } as const
const SOME = { process: 'some', machine: 'some' } as const

const inPostgres = { engine: 'PostgreSQL', start: startPostgres } as const
const inRedis = { engine: 'Redis', start: startRedis, store: '' } as const
const synced = ['--appendonly', 'yes', '--appendfsync']

/** In the order of docs/durability.md. */
export const SETTINGS: readonly Setting[] = [
  { engine: 'memory', setting: 'as it comes', loses: SOME, some: 'all', store: 'memory' },
  { engine: 'SQLite', setting: 'as it comes', loses: NOTHING, store: 'sqlite:' },
  { ...inPostgres, setting: 'as it comes (`synchronous_commit = on`)', loses: NOTHING, store: '' },
  {
    ...inPostgres,
    setting: '`?synchronous_commit=local`',
    loses: NOTHING,
    store: '&synchronous_commit=local',
  },
  {
    ...inPostgres,
    setting: '`?synchronous_commit=off`',
    loses: SOME,
    store: '&synchronous_commit=off',
  },
  {
    ...inPostgres,
    setting: '`fsync = off`',
    loses: AT_MACHINE,
    some: 'all, and it may not start again',
    settings: ['-c', 'fsync=off'],
    store: '',
  },
  {
    ...inRedis,
    setting: '`appendonly yes`, `appendfsync always`',
    loses: NOTHING,
    settings: [...synced, 'always'],
  },
  {
    ...inRedis,
    setting: '`appendonly yes`, `appendfsync everysec` (its default)',
    loses: { process: 'rarely', machine: 'some' },
    settings: [...synced, 'everysec'],
  },
  {
    ...inRedis,
    setting: '`appendonly yes`, `appendfsync no`',
    loses: AT_MACHINE,
    some: 'all that the system had not written by itself',
    settings: [...synced, 'no'],
  },
  {
    ...inRedis,
    setting: '`appendonly no`, snapshots only (as it comes)',
    loses: SOME,
    some: 'all since the last snapshot',
    settings: ['--appendonly', 'no', '--save', '60', '1'],
  },
  {
    engine: 'NATS',
    start: startNats,
    setting: 'as it comes (synced every two minutes)',
    loses: AT_MACHINE,
    some: 'all that was not synced, nor written by the system',
    settings: ['jetstream: enabled'],
    store: '',
  },
]
