/**
 * What a tap and an inspector say to each other, for those who write an inspector.
 */
export * from './frames.ts'
export { packIds, unpackIds } from './ids.ts'
export * from './relay-frames.ts'
