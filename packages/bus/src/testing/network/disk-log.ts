/** A context's handle of a log on the disk of its device. */
import { BusError } from '../../errors.ts'
import type { ConsumerRow, ConsumerWrite, DeadRow } from '../../log/consumers.ts'
import type {
  ExpectedInLog,
  Log,
  LogSource,
  LogState,
  OwnBatch,
  Placement,
  RetentionLimits,
  RoomBatch,
  StoredBatch,
  StoredStream,
  Trimmed,
  WelcomeUpdate,
} from '../../log/log.ts'
import type { MemoryLog } from '../../log/memory.ts'
import type { Term } from '../../protocol/frames.ts'
import type { DiskHandle, DiskUser, SimulatedDisk } from './disk.ts'

/**
 * The log option of a bus in a context: the disk is chosen by name and room. Where the context may
 * not use it, no log opens.
 */
export function diskLog(
  user: DiskUser,
  usable: boolean,
  disk: (name: string, room: string) => SimulatedDisk,
  count: (change: 1 | -1) => void,
): LogSource {
  return {
    kind: 'disk',
    required: usable,
    available: () => true,
    create: (name, room) => new DiskLog(user, usable, disk(name, room), count),
  }
}

class DiskLog implements Log, DiskHandle {
  readonly kind = 'disk'
  readonly shared = true
  readonly storage: string
  readonly #user: DiskUser
  readonly #usable: boolean
  readonly #disk: SimulatedDisk
  readonly #count: (change: 1 | -1) => void
  #open = false
  /** Why nothing can be done with it any more. */
  #gone: BusError | undefined
  #lost: ((error: BusError) => void) | undefined
  /** How to end what is under way. */
  readonly #running = new Map<Promise<unknown>, (error: BusError) => void>()

  constructor(
    user: DiskUser,
    usable: boolean,
    disk: SimulatedDisk,
    count: (change: 1 | -1) => void,
  ) {
    this.#user = user
    this.#usable = usable
    this.#disk = disk
    this.storage = disk.name
    this.#count = count
  }

  open(outbox?: boolean): Promise<LogState> {
    if (!this.#usable) {
      const what = 'this context may not use the disk'
      return Promise.reject(new BusError('log_unavailable', what, { stage: 'log' }))
    }
    if (!this.#open) {
      this.#count(1)
      this.#disk.add(this)
    }
    this.#open = true
    return this.#read('log.open', (log) => log.state(outbox))
  }

  watch(lost: (error: BusError) => void): void {
    this.#lost = lost
    if (this.#gone && this.#gone.code !== 'closed') lost(this.#gone)
  }

  /** The log is gone under this context, which hears of it as soon as it runs. */
  lose(error: BusError): void {
    this.#user.enter(0, 'log lost', () => {
      if (!this.#open) return
      this.#end(error)
      this.#lost?.(error)
    })
  }

  append(batch: OwnBatch, begun?: () => void): Promise<number> {
    const number = this.#write(
      'log.append',
      (log) => log.append(batch),
      () => batch.headers,
    )
    begun?.()
    return number
  }

  /** Others hear of it when it is committed: before, nobody can know whether it will be. */
  async appendExpected(
    expected: readonly ExpectedInLog[],
    make: (counts: ReadonlyMap<string, number>) => OwnBatch,
    begun?: () => void,
  ): Promise<number> {
    // Made once: from its journal a disk writes the same again.
    let made: OwnBatch | undefined
    const number = await this.#write(
      'log.appendExpected',
      (log) =>
        log.appendExpected(expected, (counts) => {
          made ??= make(counts)
          return made
        }),
      () => made?.headers,
    )
    begun?.()
    return number
  }

  countStreams(streams: readonly string[], before: number): Promise<number[] | undefined> {
    return this.#read('log.countStreams', (log) => log.countStreams(streams, before))
  }

  appendRoom(batch: RoomBatch, term: Term): Promise<number> {
    return this.#write('log.appendRoom', (log) => log.appendRoom(batch, term))
  }

  takeTerm(nonce: string): Promise<Term> {
    return this.#write('log.takeTerm', (log) => log.takeTerm(nonce))
  }

  welcomed(update: WelcomeUpdate): Promise<void> {
    return this.#write('log.welcomed', (log) => log.welcomed(update))
  }

  fork(term: Term, device: LogState['device']): Promise<void> {
    return this.#write('log.fork', (log) => log.fork(term, device))
  }

  state(outbox?: boolean): Promise<LogState> {
    return this.#read('log.state', (log) => log.state(outbox))
  }

  read(from: number, limit: number): Promise<StoredBatch[]> {
    return this.#read('log.read', (log) => log.read(from, limit))
  }

  readBack(to: number, limit: number): Promise<StoredBatch[]> {
    return this.#read('log.readBack', (log) => log.readBack(to, limit))
  }

  find(id: string): Promise<{ batch: StoredBatch; index: number } | undefined> {
    return this.#read('log.find', (log) => log.find(id))
  }

  readStream(stream: string): Promise<StoredStream[]> {
    return this.#read('log.readStream', (log) => log.readStream(stream))
  }

  highest(prefix: string): Promise<number> {
    return this.#read('log.highest', (log) => log.highest(prefix))
  }

  placement(batch: number): Promise<Placement | undefined> {
    return this.#read('log.placement', (log) => log.placement(batch))
  }

  placements(from: number, to: number): Promise<Placement[]> {
    return this.#read('log.placements', (log) => log.placements(from, to))
  }

  snapshot(name: string): Promise<string | undefined> {
    return this.#read('log.snapshot', (log) => log.snapshot(name))
  }

  keepSnapshot(name: string, text: string): Promise<void> {
    return this.#write('log.keepSnapshot', (log) => log.keepSnapshot(name, text))
  }

  consumer(name: string): Promise<ConsumerRow | undefined> {
    return this.#read('log.consumer', (log) => log.consumer(name))
  }

  consumers(): Promise<ConsumerRow[]> {
    return this.#read('log.consumers', (log) => log.consumers())
  }

  writeConsumer(write: ConsumerWrite): Promise<number | undefined> {
    return this.#write('log.writeConsumer', (log) => log.writeConsumer(write))
  }

  removeConsumer(name: string): Promise<void> {
    return this.#write('log.removeConsumer', (log) => log.removeConsumer(name))
  }

  deadLetters(): Promise<DeadRow[]> {
    return this.#read('log.deadLetters', (log) => log.deadLetters())
  }

  changeDead(changes: ReadonlyMap<number, string | undefined>): Promise<number[]> {
    return this.#write('log.changeDead', (log) => log.changeDead(changes))
  }

  trim(limits: RetentionLimits, outbox?: boolean): Promise<Trimmed> {
    return this.#write('log.trim', (log) => log.trim(limits, outbox))
  }

  async clear(): Promise<void> {
    await this.#read('log.clear', async () => this.#disk.clear(this))
    this.#end(new BusError('log_cleared', 'the log was cleared', { stage: 'log' }))
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#running.keys())
    this.#end(new BusError('closed', 'the log was closed', { stage: 'log' }))
  }

  #end(error: BusError): void {
    if (this.#open) this.#count(-1)
    this.#open = false
    this.#gone ??= error
    this.#disk.remove(this)
    for (const end of [...this.#running.values()]) end(error)
  }

  #read<T>(label: string, read: (log: MemoryLog) => Promise<T>): Promise<T> {
    return this.#run(() => this.#disk.read(this.#user, label, read))
  }

  #write<T>(
    label: string,
    write: (log: MemoryLog) => Promise<T>,
    headers?: () => string | undefined,
  ): Promise<T> {
    return this.#run(() => this.#disk.write(this.#user, label, write, headers))
  }

  /** What is under way when the log goes is rejected, whatever becomes of it on the disk. */
  #run<T>(begin: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    if (!this.#open) {
      reject(this.#gone ?? new BusError('closed', 'the log is not open', { stage: 'log' }))
      return promise
    }
    this.#running.set(promise, reject)
    begin()
      .then(resolve, reject)
      .finally(() => this.#running.delete(promise))
    return promise
  }
}
