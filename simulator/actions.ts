// What a scenario is made of. Each action is valid wherever it stands, and may be left out.

/** A context: the slot of a device it lives in. */
export interface Slot {
  readonly device: number
  readonly slot: number
}

/**
 * `fact.asked` others answer, so that it becomes a cause; at `fact.cursed` some handlers throw;
 * `secret.told` the relay refuses.
 */
export type EventType = 'fact.stated' | 'fact.asked' | 'fact.cursed' | 'secret.told'

export type Work =
  | (Slot & {
      readonly do: 'publish'
      readonly count: number
      readonly scope: 'context' | 'device' | 'room'
      readonly persist: boolean
      readonly until: 'accepted' | 'logged' | 'relayed' | 'handled'
      /** All in one `publishBatch`. */
      readonly together: boolean
      readonly type: EventType
    })
  /** Events of a stream that expect its revision, one building on the other. */
  | (Slot & {
      readonly do: 'expect'
      readonly stream: string
      /** `head`: what this context knows as the newest revision. */
      readonly expects: 'head' | 'none' | 'exists' | 'wrong' | 'any'
      readonly count: number
      readonly until: 'accepted' | 'logged' | 'relayed'
      readonly together: boolean
    })
  /** A request: of type `fact.sure.*`, to which somebody replies in the end, or of another. */
  | (Slot & {
      readonly do: 'ask'
      readonly about: 'fact.sure.s0' | 'fact.sure.s1' | 'fact.perhaps' | 'fact.nobody'
      readonly scope: 'context' | 'device' | 'room'
    })
  | (Slot & {
      readonly do: 'open'
      readonly kind: 'page' | 'worker' | 'service-worker'
      /** Whether its log opens. @default true */
      readonly disk?: boolean
    })
  | {
      /** By HTTP, from a publisher without a device. */
      readonly do: 'post'
      readonly count: number
      /** With ids of its own, and again until there is an answer. */
      readonly own: boolean
      readonly type: EventType
    }
  /** By HTTP, to a stream that nobody else writes to, at whichever node; whoever gets no answer asks again. */
  | {
      readonly do: 'put'
      readonly stream: string
      readonly expects: 'known' | 'none' | 'exists' | 'any'
      readonly count: number
      /** Whether one who gets no answer leaves it at that. */
      readonly once: boolean
    }
  /** Reads such a stream by HTTP. */
  | { readonly do: 'look'; readonly stream: string }

export type Fault =
  | (Slot & { readonly do: 'crash' | 'reload' | 'close' | 'freeze' | 'thaw' })
  | (Slot & { readonly do: 'hide' | 'show' | 'cache' | 'uncache' | 'clear' })
  | { readonly do: 'cut'; readonly device: number; readonly silently: boolean }
  | {
      readonly do: 'mend' | 'drop' | 'calmTabs' | 'calmDisk' | 'wipe' | 'disconnect'
      readonly device: number
    }
  | {
      readonly do: 'tabs'
      readonly device: number
      readonly drop: number
      readonly duplicate: number
      readonly delay: number
    }
  | {
      readonly do: 'disk'
      readonly device: number
      readonly slowness: number
      readonly abort: number
      readonly quota: number
    }
  /** Who is signed in there. */
  | { readonly do: 'user'; readonly device: number; readonly user: string }
  | { readonly do: 'power'; readonly device: number; readonly lost: number }
  | { readonly do: 'clock'; readonly device: number; readonly ms: number }
  | { readonly do: 'clone'; readonly device: number; readonly to: number }
  | { readonly do: 'relayWipe' }
  /** Of all nodes of the relay, where none is named. */
  | { readonly do: 'relayCrash' | 'relayStart' | 'relayDrain'; readonly node?: number }
  /** A node is cut off from everybody, or from the store. */
  | { readonly do: 'nodeCut'; readonly node: number; readonly silently: boolean }
  | { readonly do: 'storeCut'; readonly node: number; readonly silently: boolean }
  | { readonly do: 'nodeMend' | 'storeMend'; readonly node: number }
  /** What becomes of what the nodes tell each other. */
  | {
      readonly do: 'signals'
      readonly drop: number
      readonly duplicate: number
      readonly delay: number
    }
  | { readonly do: 'relayRestore'; readonly lost: number }
  | { readonly do: 'relayFail'; readonly probability: number }

export type Action = { readonly at: number } & (Work | Fault)

/** An action as one line. */
export function lineOf({ at, ...action }: Action): string {
  const { do: name, ...rest } = action
  const details = Object.entries(rest).map(([key, value]) => `${key}=${String(value)}`)
  return `${String(at).padStart(6)} ms  ${name} ${details.join(' ')}`.trimEnd()
}
