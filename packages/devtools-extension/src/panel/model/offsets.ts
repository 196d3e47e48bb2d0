/** Offsets of a log: a batch's number times 4096, plus the index in the batch. */
const SLOTS = 4096

export function offsetIn(batch: number, index: number): number {
  return batch * SLOTS + index
}

export function batchOf(offset: number): number {
  return Math.floor(offset / SLOTS)
}
