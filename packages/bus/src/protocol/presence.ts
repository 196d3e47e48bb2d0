/** Who is there and responds, as devices and relays tell each other: bounds, and names of devices. */
import { checkOf } from './position.ts'

/** Contexts of one device that a relay is told of at most. */
export const MAX_PRESENT = 64
/** Types of requests that a context, or a device, responds to at most. */
export const MAX_RESPONDS = 256
/** Characters at most of what a responder says of what went wrong. */
export const MAX_MESSAGE_LENGTH = 1_024
/** Characters of a `presence` frame of a device at most. */
export const MAX_PRESENCE_LENGTH: number = 16 * 1024

/**
 * What others may know a device by: two hashes of its id, which say 64 of the 131 bits in it. The id
 * itself, with a secret made up, could be taken from a device that a relay has not met yet.
 */
export function deviceName(id: string): string {
  return checkOf(`device ${id}`) + checkOf(`${id} device`)
}
