/** What is concluded from what was captured, in words and pictures. */
export { explainEvent } from './event.ts'
export { ledgerOf } from './ledger.ts'
export { sequenceOf } from './sequence.ts'
export { explainSubscription } from './subscription.ts'
export { causalTree, type TreeOptions, unknownIn } from './tree.ts'
export { explainType } from './type.ts'
