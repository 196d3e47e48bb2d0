/** What inspectors of a bus need. */
export { askedConsumers } from '../consume/asked.ts'
export { Attached } from '../inspect/attached.ts'
export { readInspectorFrame } from '../inspect/checks.ts'
export { eventById } from '../read/by-id.ts'
export { walk } from '../read/walk.ts'
