/**
 * What of a connection lives on while the object that has its socket is out of memory, and whether the
 * connection can go on from it.
 */
import type { Identity } from '../auth.ts'
import type { Membership } from '../group/joining.ts'
import type { RoomHost } from '../room-host.ts'
import type { ConnectionSnapshot } from '../socket.ts'
import type { Admission } from './context.ts'

/** What a welcome made of a connection. */
export interface Joined {
  readonly device: string
  readonly identity: Identity
  readonly types: readonly string[] | undefined
  readonly copy: boolean
  /** Its members of groups. */
  readonly groups?: readonly Membership[]
}

/** What seldom changes. */
interface Fixed {
  readonly admission: Admission
  readonly joined?: Joined
}

/** The `fixed` of a snapshot. */
export function fixedText(admission: Admission, joined?: Joined): string {
  return JSON.stringify({ admission, ...(joined && { joined }) } satisfies Fixed)
}

/** The room that a snapshot's connection was in. */
export function admissionOf({ fixed }: ConnectionSnapshot): Admission {
  return (JSON.parse(fixed) as Fixed).admission
}

/** What a snapshot's connection was welcomed as, if it was. */
export function joinedOf({ fixed }: ConnectionSnapshot): Joined | undefined {
  return (JSON.parse(fixed) as Fixed).joined
}

/** Whether what was welcomed can go on in the room as it is now. */
export function canGoOn(
  { busy, place, position }: ConnectionSnapshot,
  { device }: Joined,
  host: RoomHost,
): boolean {
  const { epoch, place: end } = host.head
  const fits = position.startsWith(`${epoch}.`) && place <= end
  return !busy && host.device(device) !== undefined && fits
}
