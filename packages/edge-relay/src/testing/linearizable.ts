/**
 * Whether a recorded history is *linearizable*: whether each operation can be given one moment between
 * its call and its answer, so that all of them, one after the other, are what the model allows. The
 * search is that of Wing and Gong, with Lowe's memory of what was tried.
 */

/** One operation of a history. Moments are compared only: whatever grows with time will do. */
export interface Operation<Input, Output> {
  readonly client: string
  readonly input: Input
  readonly called: number
  /** Absent where no answer came: it may have been carried out, at any time since, or not. */
  readonly answer?: { readonly at: number; readonly output: Output } | undefined
}

/** What one at a time would do. States are values: a step must not change the one that it is given. */
export interface Model<State, Input, Output> {
  readonly initial: State
  /**
   * The state after an operation; `undefined` where it could not have ended so. Without an output it is
   * the state after it was carried out, and `undefined` where that would be no different.
   */
  step(state: State, input: Input, output: Output | undefined): State | undefined
  /** The same for states that are the same. */
  key(state: State): string
}

export interface Judgement<Input, Output> {
  readonly linearizable: boolean
  /** An order that the model allows: of all where it is linearizable, else the longest that was found. */
  readonly order: readonly Operation<Input, Output>[]
  /** Whether the search was given up: histories with many operations without an answer have too many orders. */
  readonly undecided: boolean
  /** What could not be put behind that order, though its answer came before what is left. */
  readonly stuck: Operation<Input, Output> | undefined
}

/** Orders begun before a search is given up. */
const PATIENCE = 100_000

/** A call, or the answer to it, in a list that both can be taken out of and put back into. */
interface Entry<Input, Output> {
  readonly operation: Operation<Input, Output>
  readonly number: bigint
  readonly isCall: boolean
  /** The answer to a call. */
  answer?: Entry<Input, Output>
  before?: Entry<Input, Output> | undefined
  after?: Entry<Input, Output> | undefined
}

/** Looks for an order that the model allows, and that has each operation within its time. */
export function judge<State, Input, Output>(
  operations: readonly Operation<Input, Output>[],
  model: Model<State, Input, Output>,
): Judgement<Input, Output> {
  const list = listOf(operations)
  const path: { readonly call: Entry<Input, Output>; readonly state: State }[] = []
  const tried = new Set<string>()
  let best: Pick<Judgement<Input, Output>, 'order' | 'stuck'> = { order: [], stuck: undefined }
  let state = model.initial
  let done = 0n
  let answers = operations.filter(({ answer }) => answer).length
  let entry = list.after
  const order = (): Operation<Input, Output>[] => path.map(({ call }) => call.operation)
  while (answers > 0) {
    if (entry?.isCall) {
      const { answer, input } = entry.operation
      const next = model.step(state, input, answer?.output)
      const with_ = done | entry.number
      const key = `${with_.toString(36)} ${next === undefined ? '' : model.key(next)}`
      if (next === undefined || tried.has(key)) {
        entry = entry.after
        continue
      }
      tried.add(key)
      if (tried.size > PATIENCE) return { linearizable: false, undecided: true, ...best }
      path.push({ call: entry, state })
      state = next
      done = with_
      if (answer) answers -= 1
      takeOut(entry)
      entry = list.after
      continue
    }
    // Here comes an answer to what has no moment yet: something before it must have another one.
    if (path.length >= best.order.length) best = { order: order(), stuck: entry?.operation }
    const last = path.pop()
    if (!last) return { linearizable: false, undecided: false, ...best }
    state = last.state
    done &= ~last.call.number
    if (last.call.operation.answer) answers += 1
    putBack(last.call)
    entry = last.call.after
  }
  return { linearizable: true, undecided: false, order: order(), stuck: undefined }
}

function listOf<Input, Output>(
  operations: readonly Operation<Input, Output>[],
): { after?: Entry<Input, Output> | undefined } {
  const entries: { readonly at: number; readonly entry: Entry<Input, Output> }[] = []
  for (const [i, operation] of operations.entries()) {
    const number = 1n << BigInt(i)
    const call: Entry<Input, Output> = { operation, number, isCall: true }
    entries.push({ at: operation.called, entry: call })
    if (!operation.answer) continue
    call.answer = { operation, number, isCall: false }
    entries.push({ at: operation.answer.at, entry: call.answer })
  }
  // What is at the same moment may have been in either order: then calls come first.
  entries.sort((a, b) => a.at - b.at || Number(b.entry.isCall) - Number(a.entry.isCall))
  const list = {} as Entry<Input, Output>
  let before = list
  for (const { entry } of entries) {
    before.after = entry
    entry.before = before
    before = entry
  }
  return list
}

function takeOut<Input, Output>(call: Entry<Input, Output>): void {
  for (const entry of [call, call.answer]) {
    if (!entry) continue
    if (entry.before) entry.before.after = entry.after
    if (entry.after) entry.after.before = entry.before
  }
}

/** The other way round, so that neighbours are found again. */
function putBack<Input, Output>(call: Entry<Input, Output>): void {
  for (const entry of [call.answer, call]) {
    if (!entry) continue
    if (entry.before) entry.before.after = entry
    if (entry.after) entry.after.before = entry
  }
}
