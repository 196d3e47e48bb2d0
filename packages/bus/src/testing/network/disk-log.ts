/** A context's handle of a log on the disk of its device. */
import { BusError } from '../../errors.ts'
import type {
  Log,
  LogSource,
  LogState,
  OwnBatch,
  Placement,
  RoomBatch,
  StoredBatch,
  WelcomeUpdate,
} from '../../log/log.ts'
import type { MemoryLog } from '../../log/memory.ts'
import type { Term } from '../../protocol/frames.ts'
import type { DiskUser, SimulatedDisk } from './disk.ts'

/** The log option of a bus in a context: the disk is chosen by name and room. */
export function diskLog(
  user: DiskUser,
  disk: (name: string, room: string) => SimulatedDisk,
  count: (change: 1 | -1) => void,
): LogSource {
  return {
    kind: 'disk',
    required: true,
    available: () => true,
    create: (name, room) => new DiskLog(user, disk(name, room), count),
  }
}

class DiskLog implements Log {
  readonly kind = 'disk'
  readonly shared = true
  readonly #user: DiskUser
  readonly #disk: SimulatedDisk
  readonly #count: (change: 1 | -1) => void
  #state: 'new' | 'open' | 'closed' = 'new'
  /** Writes under way, for which `close` waits. */
  readonly #running = new Set<Promise<unknown>>()

  constructor(user: DiskUser, disk: SimulatedDisk, count: (change: 1 | -1) => void) {
    this.#user = user
    this.#disk = disk
    this.#count = count
  }

  open(): Promise<LogState> {
    this.#state = 'open'
    this.#count(1)
    return this.#read('log.open', (log) => log.state())
  }

  append(batch: OwnBatch, begun?: () => void): Promise<number> {
    const number = this.#write('log.append', (log) => log.append(batch), batch.headers)
    begun?.()
    return number
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

  state(): Promise<LogState> {
    return this.#read('log.state', (log) => log.state())
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

  placement(batch: number): Promise<Placement | undefined> {
    return this.#read('log.placement', (log) => log.placement(batch))
  }

  async close(): Promise<void> {
    if (this.#state === 'open') this.#count(-1)
    this.#state = 'closed'
    await Promise.allSettled(this.#running)
  }

  #read<T>(label: string, read: (log: MemoryLog) => Promise<T>): Promise<T> {
    this.#assertOpen()
    return this.#disk.read(this.#user, label, read)
  }

  #write<T>(label: string, write: (log: MemoryLog) => Promise<T>, headers?: string): Promise<T> {
    this.#assertOpen()
    const done = this.#disk.write(this.#user, label, write, headers)
    this.#running.add(done)
    done.finally(() => this.#running.delete(done)).catch(() => {})
    return done
  }

  #assertOpen(): void {
    if (this.#state !== 'open')
      throw new BusError('closed', 'the log is not open', { stage: 'log' })
  }
}
