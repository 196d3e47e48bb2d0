/** Contexts and events under the names that a test has for them. */
import type { HelloFrame, PeerId } from '@crosstown/bus/inspect'
import type { EventRow, Peer, Session } from '../model/model.ts'

/** A context that a test opens, with a bus in it. */
export interface Place {
  /** Of its bus. */
  readonly variable: string
  /** For people. */
  readonly name: string
  /** Variable, and name in the network. */
  readonly device: string
  readonly kind: Exclude<HelloFrame['kind'], 'relay'>
  readonly bus: string
  readonly source: string
  readonly room?: string
  /** Where the room said which. */
  readonly rights?: { readonly publish: readonly string[]; readonly subscribe: readonly string[] }
}

/** The contexts that published some events, and those that should have got them. */
export function placesOf(
  session: Session,
  events: readonly EventRow[],
  receivers: readonly PeerId[],
): ReadonlyMap<PeerId, Place> {
  const ids = [...new Set([...events.map(({ publisher }) => publisher), ...receivers])]
  const known = ids.flatMap((id) => session.peers.get(id) ?? [])
  const devices = new Map<string, string>()
  const taken = new Set(RESERVED)
  const places = new Map<PeerId, Place>()
  for (const id of ids) {
    const peer = session.peers.get(id)
    // Of who is not inspected only its events are known: it is on a device of its own.
    const like = peer ?? known[0]
    if (!like) continue
    const device = peer?.device ?? id
    if (!devices.has(device)) devices.set(device, unique(deviceWord(peer), taken))
    const source = peer?.hello.source ?? sourceOf(events, id)
    const rights = peer && rightsOf(session, peer)
    const room = like.hello.relay?.room
    places.set(id, {
      variable: unique(identifier(peer ? shortName(peer) : source), taken),
      name: peer?.name ?? source,
      device: devices.get(device) as string,
      kind: peer && peer.hello.kind !== 'relay' ? peer.hello.kind : 'page',
      bus: like.hello.bus,
      source,
      ...(room !== undefined && { room }),
      ...(rights && { rights }),
    })
  }
  return places
}

/** A variable for each type, in their order, beside those of the contexts. */
export function namesFor(types: readonly string[], places: Iterable<Place>): readonly string[] {
  const taken = new Set(RESERVED)
  for (const { variable, device } of places)
    for (const name of [variable, device, `${variable}Loop`]) taken.add(name)
  return types.map((type) => unique(identifier(type), taken))
}

/** What a test has by itself, and words that are no names. */
const RESERVED = [
  ...['network', 'got', 'loop', 'test', 'expect', 'onError', 'createTestNetwork', 'simulatedRelay'],
  ...['rights', 'auth'],
  ...[
    'break',
    'case',
    'catch',
    'class',
    'const',
    'continue',
    'debugger',
    'default',
    'delete',
    'do',
  ],
  ...['else', 'enum', 'export', 'extends', 'false', 'finally', 'for', 'function', 'if', 'import'],
  ...[
    'in',
    'instanceof',
    'new',
    'null',
    'return',
    'super',
    'switch',
    'this',
    'throw',
    'true',
    'try',
  ],
  ...['typeof', 'var', 'void', 'while', 'with', 'yield', 'let', 'static', 'await', 'async', 'of'],
  ...['implements', 'interface', 'package', 'private', 'protected', 'public', 'arguments', 'eval'],
]

/** `cart.item_added` is `cartItemAdded`. */
function identifier(text: string): string {
  const words = text.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
  const [first = 'bus', ...rest] = words
  const name =
    first.charAt(0).toLowerCase() +
    first.slice(1) +
    rest.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
  return /^\d/.test(name) ? `bus${name}` : name
}

function unique(name: string, taken: Set<string>): string {
  let free = name
  for (let n = 2; taken.has(free); n++) free = `${name}${n}`
  taken.add(free)
  return free
}

/** `tab 1`, `service worker`, `orders`: the part of a name before the dot. */
function shortName({ name }: Peer): string {
  return name.split(' · ')[0] ?? name
}

function deviceWord(peer: Peer | undefined): string {
  if (!peer) return 'elsewhere'
  const { kind } = peer.hello
  return kind === 'node' || kind === 'deno' || kind === 'bun' ? 'server' : 'browser'
}

function sourceOf(events: readonly EventRow[], publisher: PeerId): string {
  const source = events.find((row) => row.publisher === publisher)?.event.source
  return source === undefined || source === '' ? 'unknown' : source
}

/** The room told the leader of its device. */
function rightsOf(session: Session, { device }: Peer): Place['rights'] {
  for (const peer of session.peers.values())
    if (peer.device === device && peer.status.rights) return peer.status.rights
  return undefined
}
