/** Rows that are no events: what a record of a peer comes to, in words. */
import type { InspectRecord } from '@crosstown/bus/inspect'
import type { NoteRow } from './model.ts'
import type { KnownPeer } from './peers.ts'
import { idOf } from './store/ids.ts'

export type Note = Omit<NoteRow, 'row' | 'ms' | 'peer'>

/** What a record says that is worth a row. */
export function noteOf(record: InspectRecord, peer: KnownPeer): Note | undefined {
  switch (record.is) {
    case 'gap':
      return {
        kind: 'gap',
        severity: 'warning',
        text: `${peer.name}: a hole in the room's stream, ${GAP_WORDS[record.gap.reason] ?? record.gap.reason}`,
      }
    case 'leader':
      if (record.lead.self === (peer.told.leads ?? false)) return undefined
      return {
        kind: 'leader',
        severity: 'info',
        text: record.lead.self
          ? `${peer.name} leads its device now`
          : `${peer.name} does not lead any more`,
      }
    case 'status': {
      const { relay, error } = record.status
      if (relay === (peer.told.relay ?? 'off')) return undefined
      const why = error && relay !== 'online' ? `: ${error.message} (${error.code})` : ''
      return {
        kind: 'connection',
        severity: relay === 'refused' ? 'error' : relay === 'offline' ? 'warning' : 'info',
        text: `${peer.name} is ${RELAY_WORDS[relay]}${why}`,
      }
    }
    case 'error': {
      const about = record.type === undefined ? '' : ` at ${record.type}`
      return {
        kind: 'error',
        severity: 'error',
        text: `${peer.name}: ${record.message} (${record.code}, ${record.stage}${about})`,
        ...(record.event === undefined ? {} : { event: record.event }),
      }
    }
    case 'life':
      return { kind: 'life', severity: 'info', text: `${peer.name} ${LIFE_WORDS[record.state]}` }
    case 'device': {
      // Told again when something else of it changed.
      if (peer.toldDevices.get(record.device) === record.online) return undefined
      const who = record.subject === undefined ? '' : ` of ${record.subject}`
      return {
        kind: 'connection',
        severity: 'info',
        text: `${peer.name}: device ${record.device}${who} ${record.online ? 'joined the room' : 'left the room'}`,
      }
    }
    case 'dropped': {
      if (
        record.why === 'duplicate' ||
        record.why === 'unwanted' ||
        record.why === 'no_right' ||
        record.count === 0
      )
        return undefined
      const [first] = record.ids
      const event = first === undefined ? undefined : firstId(first)
      const events = record.count === 1 ? '1 event' : `${record.count} events`
      return {
        kind: 'lost',
        severity: 'warning',
        text: `${peer.name} dropped ${events}: ${DROP_WORDS[record.why]}${record.sub === undefined ? '' : ` (subscription ${record.sub})`}`,
        ...(event === undefined ? {} : { event }),
      }
    }
    default:
      return undefined
  }
}

function firstId(entry: string | readonly [string, number, number]): string {
  return typeof entry === 'string' ? entry : idOf(entry[0], entry[1])
}

const GAP_WORDS: { readonly [reason: string]: string } = {
  trimmed: 'the relay does not keep what was there any more',
  restored: 'the relay was put back from an older copy',
  new_epoch: 'the room was made anew',
  rights_changed: 'what the old rights hid, the new ones do not bring back',
}

const RELAY_WORDS = {
  off: 'without a relay',
  connecting: 'connecting to the relay',
  online: 'online',
  offline: 'offline: the relay cannot be reached',
  refused: 'refused by the relay',
} as const

const LIFE_WORDS = {
  visible: 'is visible',
  hidden: 'is hidden',
  frozen: 'was frozen by the browser',
  resumed: 'goes on after it was frozen',
  cleared: 'cleared its log',
} as const

const DROP_WORDS = {
  overflow: 'the buffer of a loop or a handler was full',
  offline: 'the relay cannot be reached, and they are not kept',
  no_right: 'there is no right to them',
  unwanted: 'its device does not read events of their type',
  withdrawn: 'they could not be written',
  closed: 'the bus was closed',
  fault: 'a fault was set here',
} as const
