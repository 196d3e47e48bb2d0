/** What reads the log: views, replays, streams, subscriptions that begin in the past. */
export { eventById } from '../read/by-id.ts'
export { CatchUp } from '../read/catch-up.ts'
export { withExpected } from '../read/expected.ts'
export { outboxOf } from '../read/outbox.ts'
export { Projector } from '../read/projector.ts'
export { replay } from '../read/replay.ts'
export { withLog } from '../read/steady-log.ts'
export { fromRevisionOn, streamEvents } from '../read/stream.ts'
