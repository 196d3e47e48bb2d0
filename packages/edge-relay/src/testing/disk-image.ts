/** The files of a folder, as the disk is known to keep them and as the kernel has them. */
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import type { DiskStep } from './strace-log.ts'

/** What was done to a file, and when it was over. */
interface Change {
  readonly endNs: bigint
  /** Where `data` goes; or, without any, the size that the file has from then on. */
  readonly at: number
  readonly data?: Buffer
}

interface Descriptor {
  at: number
  readonly appends: boolean
  readonly syncs: boolean
}

/** Follows what is done to files; what was not synced is `restore`d to what was. */
export class DiskImage {
  readonly #folder: string
  readonly #before: string
  readonly #files = new Map<string, SyncedFile>()
  readonly #open = new Map<string, Descriptor>()

  /** @param before a copy of the folder, as it was first */
  constructor(folder: string, before: string) {
    this.#folder = folder
    this.#before = before
  }

  async take(step: DiskStep): Promise<void> {
    if (step.did === 'rename') return this.#rename(step.from, step.to)
    if (!this.#isIn(step.path)) return
    if (step.did === 'unlink') {
      this.#files.set(step.path, new SyncedFile(Buffer.alloc(0)))
      return
    }
    const file = await this.#file(step.path)
    if (step.did === 'sync') file.sync(step.startNs)
    else if (step.did === 'resize') file.change({ at: step.size, endNs: step.endNs })
    else if (step.did === 'grow') {
      if (step.size > file.size) file.change({ at: step.size, endNs: step.endNs })
    } else this.#through(step, file)
  }

  /** Writes what is synced over what is there. */
  async restore(): Promise<void> {
    for (const [path, file] of this.#files) {
      const isThere = await stat(path).then(
        () => true,
        () => false,
      )
      if (isThere && !file.isSynced) await writeFile(path, file.synced)
    }
  }

  #through(
    step: Extract<DiskStep, { readonly did: 'open' | 'seek' | 'write' }>,
    file: SyncedFile,
  ): void {
    const name = `${step.fd} ${step.path}`
    if (step.did === 'open') {
      const flags = step.flags.split('|')
      const syncs = flags.includes('O_SYNC') || flags.includes('O_DSYNC')
      this.#open.set(name, { at: 0, appends: flags.includes('O_APPEND'), syncs })
      if (flags.includes('O_TRUNC')) file.change({ at: 0, endNs: 0n })
      return
    }
    const open = this.#open.get(name)
    if (step.did === 'seek') {
      if (open) open.at = step.at
      return
    }
    const at = step.at ?? (open?.appends ? file.size : (open?.at ?? file.size))
    if (open && step.at === undefined) open.at = at + step.data.length
    file.change({ at, data: step.data, endNs: step.endNs })
    if (open?.syncs) file.sync(step.endNs)
  }

  #isIn(path: string): boolean {
    return path.startsWith(this.#folder + sep)
  }

  async #file(path: string): Promise<SyncedFile> {
    const known = this.#files.get(path)
    if (known) return known
    const before = join(this.#before, relative(this.#folder, path))
    const file = new SyncedFile(await readFile(before).catch(() => Buffer.alloc(0)))
    this.#files.set(path, file)
    return file
  }

  async #rename(from: string, to: string): Promise<void> {
    if (!this.#isIn(from) || !this.#isIn(to)) return
    this.#files.set(to, await this.#file(from))
    this.#files.delete(from)
  }
}

/** A file, by whatever name. */
class SyncedFile {
  /** With room to grow behind `#length`. */
  #content: Buffer
  #length: number
  readonly #changes: Change[] = []
  /** As the kernel has it. */
  size: number

  constructor(content: Buffer) {
    this.#content = content
    this.#length = content.length
    this.size = content.length
  }

  get isSynced(): boolean {
    return this.#changes.length === 0
  }

  get synced(): Buffer {
    return this.#content.subarray(0, this.#length)
  }

  change(change: Change): void {
    this.#changes.push(change)
    this.size = change.data ? Math.max(this.size, change.at + change.data.length) : change.at
  }

  /** What was over when a sync began is on the disk when the sync is over. */
  sync(startNs: bigint): void {
    const later = this.#changes.findIndex(({ endNs }) => endNs > startNs)
    for (const { at, data } of this.#changes.splice(0, later < 0 ? Infinity : later)) {
      if (!data) {
        this.#reach(at)
        if (at < this.#length) this.#content.fill(0, at, this.#length)
        this.#length = at
      } else {
        this.#reach(at + data.length)
        data.copy(this.#content, at)
        this.#length = Math.max(this.#length, at + data.length)
      }
    }
  }

  #reach(length: number): void {
    if (length <= this.#content.length) return
    const content = Buffer.alloc(Math.max(length, 2 * this.#content.length))
    this.synced.copy(content)
    this.#content = content
  }
}
