/**
 * What a tap and an inspector say to each other, for those who write an inspector.
 */
export { decodeValue, encodeValue, type ValueText } from '../codec/codec.ts'
export * from './frames.ts'
export { packIds, unpackIds } from './ids.ts'
