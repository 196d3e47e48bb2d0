/**
 * Contexts without a log, and those that keep their events: what either of them does is loaded with the
 * first word about it.
 */
import type { BusError } from '../errors.ts'
import type { Part } from '../part.ts'
import type { Guest, GuestOptions, Host, HostOptions } from './sync.ts'

/** What is loaded. */
export interface Guesting {
  readonly LogHost: new (options: HostOptions) => Host
  readonly Submitter: new (options: GuestOptions) => Guest
}

export function lateHost(
  part: Part<Guesting>,
  options: HostOptions,
  report: (error: BusError) => void,
): Host {
  let host: Host | undefined
  const say = (run: (host: Host) => void): void => {
    const done = ({ LogHost }: Guesting): void => {
      host ??= new LogHost(options)
      run(host)
    }
    // Whoever is not answered asks again.
    if (part.now) done(part.now)
    else part.load().then(done, report)
  }
  return {
    submitted: (...said) => say((made) => made.submitted(...said)),
    asked: (...said) => say((made) => made.asked(...said)),
  }
}

export function lateGuest(
  part: Part<Guesting>,
  options: GuestOptions,
  report: (error: BusError) => void,
): Guest {
  if (part.now) return new part.now.Submitter(options)
  let guest: Guest | undefined
  let closed = false
  const load = async (): Promise<Guest> => {
    const { Submitter } = await part.load()
    guest ??= new Submitter(options)
    if (closed) guest.close()
    return guest
  }
  const say = (run: (guest: Guest) => void): void => {
    if (guest) run(guest)
    else load().then(run, report)
  }
  return {
    get host() {
      return guest?.host
    },
    submit: async (entries) => (guest ?? (await load())).submit(entries),
    hosted: (...said) => say((made) => made.hosted(...said)),
    taken: (...said) => say((made) => made.taken(...said)),
    declined: (...said) => say((made) => made.declined(...said)),
    close: () => {
      closed = true
      guest?.close()
    },
  }
}
