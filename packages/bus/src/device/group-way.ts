/**
 * The way between the members of groups in this device's contexts and the relay. Members say what they
 * have to say to whoever leads; the leader hands it to the relay, and what the relay says back to the
 * context that the member is in. Nothing is kept on the way: by each new connection members join anew.
 */
import type { GroupFrame, Present } from '../protocol/frames.ts'
import type {
  Line,
  MemberFrame,
  Members,
  PassFrame,
  PeerContexts,
  ToMemberFrame,
} from '../sync/sync.ts'

export interface GroupWayOptions {
  /** This context. */
  readonly prefix: string
  /** Those of this context. */
  readonly members: Members
  readonly peers: () => PeerContexts
  readonly leads: () => boolean
  /** To the relay, of the context that leads; dropped where the relay is not there. */
  readonly send: (frame: MemberFrame) => void
}

/** Members of other contexts that are remembered at most, so that they can be said to be gone. */
const MAX_MEMBERS = 1_000

export class GroupWay {
  readonly #options: GroupWayOptions
  /** Who joined by this line, of other contexts: the context that each is in, and its group. */
  readonly #joined = new Map<string, { readonly prefix: string; readonly group: string }>()
  #here: ReadonlySet<string> = new Set()
  #line: Line | undefined

  constructor(options: GroupWayOptions) {
    this.#options = options
  }

  /** The connection that this context has to the relay, while it leads and is online. */
  get line(): Line | undefined {
    return this.#line
  }

  /** A member of this context. */
  say(frame: MemberFrame): void {
    const { prefix, leads, send, peers } = this.#options
    if (leads()) send(frame)
    else peers().pass({ prefix, say: frame })
  }

  /** What a member of another context says, where this one leads; or the leader's word to one here. */
  passed({ prefix, say, line }: PassFrame, data: readonly string[]): void {
    const { leads, members, send } = this.#options
    if (isToMember(say)) {
      if (line && prefix === this.#options.prefix) members.heard(say, data, line)
    } else if (leads()) {
      if (say.frame === 'group') this.#note(prefix, say)
      send(say)
    }
  }

  /** The relay, which this context has the connection to. */
  heard(frame: ToMemberFrame, data: readonly string[]): void {
    const line = this.#line
    if (!line) return
    const { prefix } = this.#joined.get(frame.member) ?? {}
    if (prefix === undefined) this.#options.members.heard(frame, data, line)
    else this.#options.peers().pass({ prefix, say: frame, line }, data)
  }

  /** The relay is there, or is there no longer. */
  connected(line: Line | undefined): void {
    this.#line = line
    this.#joined.clear()
    this.#options.members.connected(line)
  }

  /** Who of this device is there: the members of those who left are gone. */
  present(contexts: readonly Present[]): void {
    const here = new Set(contexts.map(({ id }) => id))
    for (const [member, { prefix, group }] of this.#joined) {
      if (here.has(prefix) || !this.#here.has(prefix)) continue
      this.#joined.delete(member)
      this.#options.send({ frame: 'group', group, member })
    }
    this.#here = here
  }

  #note(prefix: string, { member, group, join }: GroupFrame): void {
    this.#joined.delete(member)
    if (!join || this.#joined.size >= MAX_MEMBERS) return
    this.#joined.set(member, { prefix, group })
  }
}

function isToMember(say: PassFrame['say']): say is ToMemberFrame {
  return say.frame !== 'group' && say.frame !== 'settle'
}
