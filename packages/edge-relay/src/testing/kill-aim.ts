/** When a relay is killed: at a moment that a seed chose, or between two steps that belong together. */
import { type FSWatcher, watch } from 'node:fs'
import { basename } from 'node:path'
import type { Random } from '@crosstown/bus/testing'

/** What is waited for, and how many of it. */
export interface Aim {
  /**
   * `byte`: that many bytes came from devices. `time`: that many milliseconds after the first of these
   * bytes. `write`: the store's files changed that often, so a commit is under way. `ack`: that many acks
   * came, the last of which its device never gets: its batch is committed, and nobody was told.
   */
  readonly at: 'byte' | 'time' | 'write' | 'ack'
  readonly count: number
}

const ACK = '{"frame":"ack"'
const MOST = { byte: 300_000, time: 600, write: 150, ack: 100 } as const

/** One of each kind in turn; how far it goes is up to chance. */
export function aimFor(nth: number, random: Random): Aim {
  const at = (['ack', 'byte', 'write', 'time'] as const)[nth % 4] as Aim['at']
  return { at, count: 1 + random.below(MOST[at]) }
}

/** Waits for what it aims at; calls `hit` once. */
export class Trigger {
  readonly #aim: Aim
  readonly #hit: () => void
  #left: number
  #timer: NodeJS.Timeout | undefined
  #watcher: FSWatcher | undefined

  /**
   * @param folder that the store's files are in, at whatever depth
   * @param isStore which of its files are the store's
   */
  constructor(aim: Aim, folder: string, isStore: (name: string) => boolean, hit: () => void) {
    this.#aim = aim
    this.#left = aim.count
    this.#hit = hit
    if (aim.at !== 'write') return
    this.#watcher = watch(folder, { recursive: true }, (_, name) => {
      if (name !== null && isStore(basename(name))) this.#count(1)
    })
  }

  up(chunk: Buffer): void {
    if (this.#aim.at === 'byte') this.#count(chunk.length)
    else if (this.#aim.at === 'time')
      this.#timer ??= setTimeout(() => this.#count(this.#left), this.#left)
  }

  down(chunk: Buffer): void {
    if (this.#aim.at === 'ack') this.#count(chunk.toString('latin1').split(ACK).length - 1)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#watcher?.close()
  }

  #count(count: number): void {
    if (this.#left <= 0) return
    this.#left -= count
    if (this.#left > 0) return
    this.stop()
    this.#hit()
  }
}

/** The files of SQLite, wherever it runs. */
export function isSqlite(name: string): boolean {
  return name.endsWith('-wal') || name.endsWith('.db') || name.endsWith('.sqlite')
}
