/**
 * Keeps the records of each peer in their order: batches that come before those they follow are held,
 * what is missing is asked for again, and given up where it does not come. Batches of peers that did
 * not say who they are yet wait until they do.
 */
import type { PeerId } from '@crosstown/bus/inspect'
import { Fault } from '../../frames/reader.ts'
import type { UnreadBatch } from '../../frames/tap-frames.ts'
import type { Waiting } from './intake.ts'
import type { KnownPeer } from './peers.ts'
import type { Timing } from './timing.ts'

export interface HeldBatch {
  readonly frame: UnreadBatch
  readonly from: Waiting
}

export interface HoleEvents {
  /** What is missing of a peer is to be sent again. */
  askAgain(peer: KnownPeer, batch: HeldBatch): void
  /** What is missing before a batch will not come. */
  lost(peer: KnownPeer, before: HeldBatch): void
  /** Batches are to be taken in now, in this order. */
  again(batches: readonly HeldBatch[]): void
}

/** Batches held back of one peer, until what is missing before them comes. */
const MAX_HELD = 64
/** Peers that were heard before they said who they are. */
const MAX_STRANGERS = 100
/** How long what is missing is waited for each time it was asked for, ms, and how often it is. */
const MISSING_MS = 1_000
const MISSING_TRIES = 3
/** Characters held at most, of all peers. */
const MAX_SIZE = 32 * 1024 * 1024
/** How long it is waited for who somebody is, ms. */
const STRANGER_MS = 10_000

export class Holes {
  readonly #timing: Timing
  readonly #events: HoleEvents
  readonly #held = new Map<KnownPeer, HeldBatch[]>()
  readonly #strangers = new Map<PeerId, HeldBatch[]>()
  #size = 0

  constructor(timing: Timing, events: HoleEvents) {
    this.#timing = timing
    this.#events = events
  }

  /** Holds a batch back; `live`: there is somebody who could send again what is missing. */
  hold(peer: KnownPeer, batch: HeldBatch, live: boolean): void {
    let held = this.#held.get(peer)
    if (!held) {
      held = []
      this.#held.set(peer, held)
      if (live) this.#ask(peer, batch, held, MISSING_TRIES)
    }
    held.push(batch)
    this.#size += batch.from.size
    if (held.length > MAX_HELD || this.#size > MAX_SIZE) this.release(peer)
  }

  /** A peer's records are there up to `next`: what follows them need not be held any more. */
  filled(peer: KnownPeer, next: number): void {
    const held = this.#held.get(peer)
    if (!held?.some(({ frame }) => frame.first <= next)) return
    this.#held.delete(peer)
    this.#freed(held)
    this.#events.again(inOrder(held))
  }

  /** What is missing of a peer is given up. */
  release(peer: KnownPeer): void {
    const held = this.#held.get(peer)
    if (!held) return
    this.#held.delete(peer)
    this.#freed(held)
    const [first] = inOrder(held)
    if (first) this.#events.lost(peer, first)
    this.#events.again(held)
  }

  releaseAll(): void {
    for (const peer of [...this.#held.keys()]) this.release(peer)
  }

  /** A batch of who did not say who it is yet; whether it is the first. @throws {Fault} too many */
  stranger(batch: HeldBatch): boolean {
    const { peer } = batch.frame
    const known = this.#strangers.get(peer)
    const isFull = known ? known.length >= MAX_HELD : this.#strangers.size >= MAX_STRANGERS
    if (isFull || this.#size + batch.from.size > MAX_SIZE)
      throw new Fault('comes from a peer that did not say who it is')
    this.#size += batch.from.size
    if (known) {
      known.push(batch)
      return false
    }
    const waiting = [batch]
    this.#strangers.set(peer, waiting)
    this.#timing.later(STRANGER_MS, () => {
      if (this.#strangers.get(peer) !== waiting) return
      this.#strangers.delete(peer)
      this.#freed(waiting)
    })
    return true
  }

  /** It said who it is. */
  introduced(peer: PeerId): void {
    const waiting = this.#strangers.get(peer)
    if (!waiting) return
    this.#strangers.delete(peer)
    this.#freed(waiting)
    this.#events.again(waiting)
  }

  #freed(batches: readonly HeldBatch[]): void {
    for (const { from } of batches) this.#size -= from.size
  }

  #ask(peer: KnownPeer, batch: HeldBatch, held: HeldBatch[], tries: number): void {
    this.#events.askAgain(peer, batch)
    this.#timing.later(MISSING_MS, () => {
      if (this.#held.get(peer) !== held) return
      if (tries > 1) this.#ask(peer, batch, held, tries - 1)
      else this.release(peer)
    })
  }
}

function inOrder(batches: HeldBatch[]): HeldBatch[] {
  return batches.sort((a, b) => a.frame.first - b.frame.first)
}
