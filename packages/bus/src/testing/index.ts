/**
 * For those who write a log or a link of their own: the suites that ours pass, and values that
 * must come out the same everywhere.
 *
 * @example
 * import { describe, it } from 'vitest'
 * import { logContract } from '@crosstown/bus/testing'
 * logContract('my log', { describe, it }, { create: () => new MyLog() })
 */
export type { Link, LinkSource } from '../links/link.ts'
export { memoryLink } from '../links/memory.ts'
export type { Log, LogSource } from '../log/log.ts'
export { type LinkContractOptions, linkContract } from './link-contract.ts'
export { type LogContractOptions, logContract } from './log-contract.ts'
export type { Runner } from './suite.ts'
export { fingerprint, type NamedValue, REFUSED_VALUES, VALUES } from './values.ts'
