/** What the parts of the suite are made of. */
import type { Store } from '../../stores/store.ts'

/** What the suite needs of a test runner; vitest's and `node:test` with an `expect` will do. */
export interface TestRunner {
  readonly describe: (name: string, run: () => void) => void
  readonly it: (name: string, run: () => Promise<void>) => void
  readonly expect: (value: unknown) => {
    toBe(expected: unknown): void
    toEqual(expected: unknown): void
  }
}

/** A store under test. */
export interface StoreFixture {
  readonly store: Store
  /**
   * Opens again what `store` has written: after that was closed where the store lasts, and beside it where
   * it is shared.
   */
  readonly reopen?: () => Promise<Store>
  /** Called after each test, with all stores closed. */
  readonly dispose?: () => Promise<void>
}

/** In what stores may differ. What one does not declare it is not held to. */
export interface StoreCapabilities {
  /** What was written is there after a close. @default false */
  readonly lasts?: boolean
  /** Several processes may have it open at once, and hear each other. @default false */
  readonly shared?: boolean
  /** Its engine is a server, whose connection is seen. @default false */
  readonly served?: boolean
  /** Nothing is left to `purge` of a room that was deleted. @default false */
  readonly deletesAtOnce?: boolean
}

/** Tests of one kind. */
export type Part = (suite: {
  readonly expect: TestRunner['expect']
  /** A test with a store of its own. */
  readonly it: (title: string, run: (store: Store, fixture: StoreFixture) => Promise<void>) => void
  readonly declared: StoreCapabilities
}) => void

/** The fixture's store, once more. */
export function opened({ reopen }: StoreFixture): Promise<Store> {
  if (!reopen) throw new Error('the fixture of a store that lasts, or is shared, has `reopen`')
  return reopen()
}
