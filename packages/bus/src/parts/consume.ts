/** What durable consumers need, and dead letters. */
export { deadLettersOf } from '../consume/dead-letters.ts'
export { Holding } from '../consume/holding.ts'
export { transactionsOf } from '../consume/transact.ts'
export { feed, firstPlace } from '../read/feed.ts'
