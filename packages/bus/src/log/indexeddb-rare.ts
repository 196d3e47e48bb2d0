/** What a log in IndexedDB does only now and then, or for few. */
export {
  changeDead,
  consumerKey,
  consumersIn,
  deadIn,
  readConsumer,
  writeConsumer,
} from './indexeddb-consumers.ts'
export { mergeStep } from './indexeddb-merge.ts'
export { trimStep } from './indexeddb-retention.ts'
export { countBefore, countNow } from './indexeddb-streams.ts'
export { assertExpected } from './stream-mark.ts'
