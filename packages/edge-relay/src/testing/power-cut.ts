/**
 * A cut of the power, as far as files go. SIGKILL takes from a process what it had not written, and leaves
 * what the kernel has; a machine that loses its power loses also what was written and not synced. So what a
 * process does to its files is noted by strace, and after its end each file is put back to what it was when
 * it was last synced: all that a disk was told to keep, and nothing else.
 *
 * Names last at once: files that were made, renamed or removed are so after the cut, as on a file system
 * that journals them. What is written through a mapping is not noted; no engine has its log in one.
 */
import type { ChildProcess } from 'node:child_process'
import { createReadStream, readdirSync, readFileSync } from 'node:fs'
import { chown, cp, lstat, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DiskImage } from './disk-image.ts'
import { StraceLog, straceArgs } from './strace-log.ts'

/** Absent where there is no strace: no power can be cut. */
export const STRACE: string | undefined = process.env['CROSSTOWN_STRACE']

/** Whom a process runs as, where that is somebody else. */
export interface Owner {
  readonly uid?: number
  readonly gid?: number
}

/** What one process, with those it starts, does to the files of a folder. */
export class Recording {
  readonly #folder: string
  readonly #notes: string

  /** Of a folder as it is now. */
  static async of(folder: string, { uid, gid }: Owner = {}): Promise<Recording> {
    const notes = await mkdtemp(join(tmpdir(), 'crosstown-disk-'))
    if (uid !== undefined && gid !== undefined) await chown(notes, uid, gid)
    await cp(folder, join(notes, 'before'), { recursive: true, filter: isKept })
    return new Recording(await realpath(folder), notes)
  }

  private constructor(folder: string, notes: string) {
    this.#folder = folder
    this.#notes = notes
  }

  /** How to start the process, so that what it does is noted. */
  commandOf(command: string, args: readonly string[]): [command: string, args: string[]] {
    if (STRACE === undefined) throw new Error('there is no strace here')
    return [STRACE, [...straceArgs(this.#log), command, ...args]]
  }

  /** After the end of the process: puts its files back to what was synced, and forgets the rest. */
  async cut(): Promise<void> {
    const disk = new DiskImage(this.#folder, join(this.#notes, 'before'))
    const log = new StraceLog()
    for await (const line of createInterface({ input: createReadStream(this.#log, 'latin1') })) {
      const step = log.step(line)
      if (step) await disk.take(step)
    }
    await disk.restore()
    await this.forget()
  }

  async forget(): Promise<void> {
    await rm(this.#notes, { recursive: true, force: true, maxRetries: 5 })
  }

  get #log(): string {
    return join(this.#notes, 'strace')
  }
}

/** Kills what a recorded process is, and all that it started; whoever started it hears of its end. */
export function killRecorded({ pid }: ChildProcess): void {
  for (const child of pid === undefined ? [] : descendantsOf(pid)) {
    try {
      process.kill(child, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
}

/** Parents before their children, so that none can be followed by another. */
function descendantsOf(pid: number): number[] {
  const found: number[] = []
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
      for (const child of children.split(' ').filter(Boolean)) found.push(Number(child))
    }
  } catch {
    // It has ended by itself.
  }
  return found.flatMap((child) => [child, ...descendantsOf(child)])
}

/** Not sockets, which engines have beside their files. */
async function isKept(path: string): Promise<boolean> {
  const found = await lstat(path)
  return found.isFile() || found.isDirectory()
}
