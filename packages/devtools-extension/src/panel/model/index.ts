/** What views use of the model, beside the interfaces in `model.ts`. */
export { InspectError } from './asks.ts'
export {
  causalTree,
  explainEvent,
  explainSubscription,
  explainType,
  ledgerOf,
  nearest,
  patternsOf,
  sequenceOf,
  siteWords,
  type TreeOptions,
  unknownIn,
} from './explain/index.ts'
export { type ExportOptions, exportSession } from './file.ts'
export { createHub, type HubOptions, type InspectorHub } from './hub.ts'
export { minimapOf } from './minimap.ts'
export { complete, quoted, termFor } from './query/complete.ts'
export { createFiltered, type FilteredRows } from './query/filtered.ts'
export { parseQuery } from './query/parse.ts'
export { pageTiming, type Timing } from './timing.ts'
