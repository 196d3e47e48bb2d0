// Scenarios that once failed, as small as they could be made; what they found is fixed, and stays so.
import type { Scenario } from './scenario.ts'

export interface Regression extends Scenario {
  /** What was wrong, as a sentence about what one saw. */
  readonly found: string
}

export const REGRESSIONS: readonly Regression[] = []
