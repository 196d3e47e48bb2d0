/**
 * What a tap and an inspector say to each other, for those who write an inspector, and for a bus that
 * must not tell all of it.
 */

export { decodeValue, encodeValue, type ValueText } from '../codec/codec.ts'
export { readInspectorFrame } from './checks.ts'
export * from './frames.ts'
export { packIds, unpackIds } from './ids.ts'
export { AskError, Outlet, type OutletOptions } from './outlet.ts'
export * from './relay-frames.ts'
export type { Inspection } from './tap.ts'
