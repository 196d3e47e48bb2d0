/** States of consumers and breakers, in words. */
import type { ConsumerInfo, DeadLetterInfo } from '@crosstown/bus/inspect'
import type { IconName } from '../../ui/icon.tsx'
import type { Breaker } from './gathered.ts'

interface Said {
  readonly icon?: IconName
  readonly text: string
  readonly title: string
  readonly level: 'good' | 'warning' | 'error' | 'quiet'
}

export const CONSUMER_STATES: { readonly [state in ConsumerInfo['state']]: Said } = {
  here: { icon: 'play', text: 'consumes', title: 'This context handles its events', level: 'good' },
  elsewhere: {
    icon: 'play',
    text: 'consumes',
    title: 'Another context of the device handles its events',
    level: 'good',
  },
  idle: {
    icon: 'pause',
    text: 'idle',
    title: 'No context of the device is subscribed to it now',
    level: 'quiet',
  },
  needs_upgrade: {
    icon: 'warning',
    text: 'needs an upgrade',
    title:
      'It stopped before an event of a version that its code cannot read, and goes on with newer code',
    level: 'error',
  },
}

const REASONS: { readonly [reason: string]: string } = {
  failed: 'Its handler failed each time',
  lapsed: 'Nothing was said of it in time',
  crashed: 'Its context died with it',
  terminated: 'Its handler gave it up',
  unreadable: 'It could not be read',
}

/** `Its handler failed each time: no such mailbox`. */
export function whyInWords({ reason, detail }: DeadLetterInfo): string {
  const words = REASONS[reason] ?? reason
  return detail === undefined || detail === '' ? words : `${words}: ${detail}`
}

export const BREAKERS: { readonly [state in Breaker]: Said } = {
  none: { text: '', title: 'No breaker is known of', level: 'quiet' },
  closed: { icon: 'check', text: 'closed', title: 'Calls go through', level: 'good' },
  half_open: {
    icon: 'partial',
    text: 'half open',
    title: 'The next call decides whether it closes or opens again',
    level: 'warning',
  },
  open: {
    icon: 'cross',
    text: 'open',
    title: 'Calls are refused with circuit_open until it tries again',
    level: 'error',
  },
  isolated: {
    icon: 'lock',
    text: 'isolated',
    title: 'Held open by the application',
    level: 'error',
  },
  seen_open: {
    icon: 'cross',
    text: 'open, it seems',
    title: 'The last event was refused with circuit_open; the policy does not say its state',
    level: 'error',
  },
  seen_closed: {
    icon: 'check',
    text: 'closed, it seems',
    title: 'An event was handled since one was refused; the policy does not say its state',
    level: 'good',
  },
}
