// What was published and what was heard: the run's own account, to hold against logs and rooms.
import type { BusError, BusEvent, Gap } from '@crosstown/bus'
import type { PostedEvent, TestContext, TestDevice } from '@crosstown/bus/testing'

/** One event that was published. */
export interface Publication {
  /** In the event's data, so that it is known wherever it appears. */
  readonly key: string
  readonly by: Instance
  readonly type: string
  readonly scope: 'context' | 'device' | 'room'
  readonly persist: boolean
  readonly until: string
  /** When, in virtual milliseconds. */
  readonly at: number
  /** Published one after the other in one task: all have the same. */
  readonly burst: number
  state: 'pending' | 'resolved' | 'rejected'
  code?: string
  event?: BusEvent
  /** How often the relay had lost a part of its room before: what it confirms later may be old news. */
  readonly losses: number
}

/** Events that were posted by HTTP in one request. */
export interface Post {
  /** In the events' data. */
  readonly keys: readonly string[]
  state: 'pending' | 'taken' | 'refused' | 'unanswered'
  /** What the relay answered, in order of the keys. */
  events?: readonly PostedEvent[]
  /** How often the relay had lost a part of its room before. */
  readonly losses: number
}

/** An event as a handler got it. */
export interface Heard {
  readonly id: string
  readonly key: string
  readonly persist: boolean
  readonly scope: string
  /** Its data as it was when it was published; of own events a handler gets the object itself. */
  readonly pristine: boolean
}

/** One life of a bus in a context. */
export interface Instance {
  readonly name: string
  readonly device: TestDevice
  readonly context: TestContext
  readonly openedAt: number
  /** Whether it has the device's log; without, another context keeps its events, or its memory. */
  readonly disk: boolean
  /** Heard by a subscription from now on, and by one from the log's start. */
  readonly live: Heard[]
  readonly all: Heard[]
  /** Newest record of the log when this context was ready; `undefined` before. */
  ready?: number
  /** Of the log it is ready with. */
  logId?: string
  /** It found nobody with a log, and is a device of its own. */
  memory?: true
  /** Its log in memory was cleared. */
  cleared?: true
  /** Whose its log in memory is: who was signed in when it was first online. */
  owner?: string | undefined
  readonly errors: BusError[]
  readonly gaps: Gap[]
  /** Ended by the script. */
  left: boolean
}

/** Whether its context is not there any more, or on its way out. */
export function isOver({ left, context }: Instance): boolean {
  return left || !context.alive
}

export class Ledger {
  readonly publications: Publication[] = []
  readonly instances: Instance[] = []
  readonly posts: Post[] = []
  /** Devices whose power was cut: they may have lost what they had heard of the room. */
  readonly cut = new Set<TestDevice>()
  /** How often the relay lost a part of its room. */
  losses = 0
  /** What went wrong in a way no check at the end would see. */
  readonly violations: string[] = []
  #keys = 0

  post(count: number): Post {
    const keys = Array.from({ length: count }, () => this.#key())
    const post: Post = { keys, state: 'pending', losses: this.losses }
    this.posts.push(post)
    return post
  }

  isPosted(key: string): boolean {
    return this.posts.some(({ keys }) => keys.includes(key))
  }

  #key(): string {
    this.#keys += 1
    return `k${this.#keys}`
  }

  publication(
    by: Instance,
    what: Pick<Publication, 'type' | 'scope' | 'persist' | 'until' | 'burst' | 'at'>,
  ): Publication {
    const publication: Publication = {
      key: this.#key(),
      by,
      ...what,
      losses: this.losses,
      state: 'pending',
    }
    this.publications.push(publication)
    return publication
  }

  /** Follows the promise of a publication. */
  follow(publication: Publication, promise: Promise<BusEvent>): void {
    promise.then(
      (event) => {
        publication.state = 'resolved'
        publication.event = event
      },
      (error: { code?: string }) => {
        publication.state = 'rejected'
        publication.code = String(error?.code ?? error)
      },
    )
  }
}
