/** The test runner a contract suite is given: vitest, Jest, Deno's BDD and others fit as they are. */
export interface Runner {
  describe(title: string, body: () => void): void
  it(title: string, body: () => void | Promise<void>): void
}

/** Fails a contract with a sentence. */
export function must(holds: boolean, rule: string): asserts holds {
  if (!holds) throw new Error(`the contract does not hold: ${rule}`)
}

export function mustEqual(actual: unknown, expected: unknown, rule: string): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)]
  must(a === b, `${rule}: expected ${b}, found ${a}`)
}

/** The code with which a promise rejects; fails where it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return (error as { code?: unknown }).code
  }
  throw new Error('the contract does not hold: it should have been rejected')
}
