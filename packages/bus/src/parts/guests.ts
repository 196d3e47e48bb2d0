/** What contexts without a log need, and those that keep their events. */
export { Submitter } from '../sync/guest.ts'
export { LogHost } from '../sync/host.ts'
