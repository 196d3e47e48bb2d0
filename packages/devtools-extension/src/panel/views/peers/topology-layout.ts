/** Where everything of the drawing of who is linked with whom stands. */
import type { PeerId, PeerStatus } from '@crosstown/bus/inspect'
import type { Peer } from '../../model/model.ts'
import { type Device, devicesOf, keyOfRelay, type RelayNode, relaysOf } from './devices.ts'

export interface Node {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface Topology {
  readonly width: number
  readonly height: number
  readonly relays: readonly (Node & { readonly relay: RelayNode })[]
  readonly devices: readonly (Node & { readonly device: Device; readonly more: number })[]
  readonly contexts: readonly (Node & { readonly peer: Peer })[]
  /** From a leader to its relay, or to another context of its device. */
  readonly lines: readonly {
    readonly from: PeerId
    readonly to: string
    readonly path: string
    readonly labelX: number
    readonly labelY: number
    readonly link: 'tabs' | 'relay'
    readonly state: PeerStatus['relay']
    readonly rtt?: number
  }[]
}

const CHIP = { width: 116, height: 22 }
const GAP = 14
const PAD = 8
const TITLE = 16
const RELAY = { width: 150, height: 26 }
/** Between relays and devices: room for what is said of a line. */
const BETWEEN = 44
const MOST_CHIPS = 9

export function layOut(peers: ReadonlyMap<PeerId, Peer>, width: number): Topology {
  const all = [...peers.values()]
  const relays = relaysOf(all)
  const devices = devicesOf(all).filter(({ peers: of }) => of[0]?.hello.kind !== 'relay')
  const top = relays.length > 0 ? PAD + RELAY.height + BETWEEN : PAD

  // Boxes from left to right, in as many lines as it takes.
  const rows: { box: Node; device: Device; shown: readonly Peer[]; columns: number }[][] = [[]]
  let x = PAD
  let y = top
  let tallest = 0
  for (const device of devices) {
    const shown = device.peers.slice(0, MOST_CHIPS)
    const fits = Math.max(1, Math.floor((width - PAD * 4 + GAP) / (CHIP.width + GAP)))
    const columns = Math.min(shown.length > 1 ? 2 : 1, fits)
    const lines = 1 + Math.ceil(Math.max(0, shown.length - 1) / columns)
    const box = {
      width: columns * (CHIP.width + GAP) - GAP + PAD * 2,
      height: TITLE + lines * (CHIP.height + GAP * 1.5) - GAP * 1.5 + PAD * 2,
    }
    if (x > PAD && x + box.width + PAD > width) {
      x = PAD
      y += tallest + GAP * 3
      tallest = 0
      rows.push([])
    }
    rows.at(-1)?.push({ box: { x, y, ...box }, device, shown, columns })
    x += box.width + GAP * 2
    tallest = Math.max(tallest, box.height)
  }

  const boxes: (Node & { device: Device; more: number })[] = []
  const contexts: (Node & { peer: Peer })[] = []
  const lines: Topology['lines'][number][] = []
  const relayAt = new Map(
    relays.map((relay, i) => [
      relay.key,
      { x: width / 2 + (i - (relays.length - 1) / 2) * (RELAY.width + GAP * 2), y: PAD },
    ]),
  )
  for (const row of rows) {
    const end = row.at(-1)?.box
    // In the middle, as the relay above them.
    const shift = end ? Math.max(0, (width - PAD - (end.x + end.width)) / 2) : 0
    for (const { box, device, shown, columns } of row) {
      const at = { ...box, x: box.x + shift }
      boxes.push({ ...at, device, more: device.peers.length - shown.length })
      const chipAt = (i: number): Node => {
        const line = i === 0 ? 0 : 1 + Math.floor((i - 1) / columns)
        const column = i === 0 ? (columns - 1) / 2 : (i - 1) % columns
        return {
          x: at.x + PAD + column * (CHIP.width + GAP),
          y: at.y + PAD + TITLE + line * (CHIP.height + GAP * 1.5),
          ...CHIP,
        }
      }
      const first = shown[0]
      const head = chipAt(0)
      const headX = head.x + CHIP.width / 2
      for (const [i, peer] of shown.entries()) {
        const chip = chipAt(i)
        contexts.push({ ...chip, peer })
        if (i === 0 || !first || peer.state === 'gone') continue
        const chipX = chip.x + CHIP.width / 2
        lines.push({
          from: first.id,
          to: peer.id,
          path: branch(headX, head.y + CHIP.height, chip),
          labelX: chipX,
          labelY: chip.y,
          link: 'tabs',
          state: peer.state === 'live' ? 'online' : 'offline',
        })
      }
      const linked =
        shown.find(({ status, state }) => status.lead.self && state !== 'gone') ?? first
      const relay = linked?.hello.relay && relayAt.get(keyOfRelay(linked.hello.relay.room, all))
      if (!linked || !relay || linked.state === 'gone' || linked.status.relay === 'off') continue
      const relayY = relay.y + RELAY.height
      const middle = at.y - BETWEEN / 2
      lines.push({
        from: linked.id,
        to: linked.hello.relay?.room ?? '',
        path:
          row === rows[0]
            ? `M${headX} ${head.y}V${at.y - 12}C${headX} ${middle} ${relay.x} ${middle} ${relay.x} ${relayY}`
            : aroundTheSide(
                headX,
                head.y,
                at.y - 14,
                relay.x - RELAY.width / 2,
                relay.y + RELAY.height / 2,
              ),
        labelX: headX + 6,
        labelY: at.y - 8,
        link: 'relay',
        state: linked.status.relay,
        ...(linked.status.rtt !== undefined && { rtt: linked.status.rtt }),
      })
    }
  }
  const lowest = Math.max(0, ...boxes.map((box) => box.y + box.height))
  return {
    width,
    height: Math.max(lowest, relays.length > 0 ? PAD + RELAY.height : 0) + PAD,
    relays: relays.map((relay) => {
      const at = relayAt.get(relay.key) as { x: number; y: number }
      return { relay, x: at.x - RELAY.width / 2, y: at.y, ...RELAY }
    }),
    devices: boxes,
    contexts,
    lines,
  }
}

/** From the foot of the leader down, then to the side of the context that looks at it, or to its head. */
function branch(x: number, y: number, chip: Node): string {
  const middle = chip.y + chip.height / 2
  if (chip.x > x) return `M${x} ${y}V${middle - 4}q0 4 4 4H${chip.x}`
  if (chip.x + chip.width < x) return `M${x} ${y}V${middle - 4}q0 4 -4 4H${chip.x + chip.width}`
  return `M${x} ${y}V${chip.y}`
}

/** Past the boxes that stand between a leader and its relay. */
function aroundTheSide(
  x: number,
  y: number,
  above: number,
  relayX: number,
  relayY: number,
): string {
  const side = PAD / 2
  return `M${x} ${y}V${above + 4}q0 -4 -4 -4H${side + 4}q-4 0 -4 -4V${relayY + 4}q0 -4 4 -4H${relayX}`
}
