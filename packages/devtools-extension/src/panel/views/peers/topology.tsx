/** Who is linked with whom, drawn: contexts around the leader of their device, devices around the relay. */
import type { PeerId } from '@crosstown/bus/inspect'
import { useMemo, useRef } from 'react'
import type { Peer } from '../../model/model.ts'
import { useSize } from '../../ui/use-size.ts'
import { duration, list, plural, shorten } from '../shared/format.ts'
import { layOut, type Topology as Placed } from './topology-layout.ts'

const CHARACTERS = 17
const CROWN = 'M2.5 5l2.5 3 3-4.5L11 8l2.5-3-1 7.5h-9z'

export function Topology({
  peers,
  version,
  chosen,
  onChoose,
}: {
  peers: ReadonlyMap<PeerId, Peer>
  version: number
  chosen: PeerId | undefined
  onChoose(peer: PeerId): void
}) {
  const ref = useRef<HTMLDivElement>(null)
  const { width } = useSize(ref)
  // biome-ignore lint/correctness/useExhaustiveDependencies: peers change in place; the version says so
  const placed = useMemo(() => layOut(peers, Math.max(180, width)), [peers, width, version])
  return (
    <div className="topology" ref={ref}>
      <svg
        role="img"
        aria-label={inWords(placed)}
        width={placed.width}
        height={placed.height}
        viewBox={`0 0 ${placed.width} ${placed.height}`}
      >
        {placed.devices.map(({ device, x, y, width: w, height: h }) => (
          <rect
            key={device.id}
            className="topology-device"
            x={x}
            y={y}
            width={w}
            height={h}
            rx={6}
          />
        ))}
        {placed.lines.map(({ from, to, path, link, state }) => (
          <path
            key={`${from} ${to}`}
            className={`topology-line link-${link} line-${state}`}
            d={path}
          />
        ))}
        {/* Above the lines, so that none strikes a name out. */}
        {placed.devices.map(({ device, more, x, y, width: w }) => (
          <text key={device.id} className="topology-title" x={x + 8} y={y + 15}>
            {shorten(device.name, Math.floor(w / 7) - 2)}
            {more > 0 && ` (+ ${more} more)`}
          </text>
        ))}
        {placed.lines
          .filter(({ link }) => link === 'relay')
          .map(({ from, labelX, labelY, state, rtt }) => (
            <text key={from} className={`topology-label line-${state}`} x={labelX} y={labelY}>
              {state === 'online' ? (rtt === undefined ? 'online' : duration(rtt)) : `✕ ${state}`}
            </text>
          ))}
        {placed.relays.map(({ relay, x, y, width: w, height: h }) => (
          // biome-ignore lint/a11y/noStaticElementInteractions: the table below does the same, by keyboard
          <g
            key={relay.key}
            className={`topology-relay ${relay.peer && relay.peer === chosen ? 'chosen' : ''}`}
            onClick={() => relay.peer && onChoose(relay.peer)}
          >
            <rect x={x} y={y} width={w} height={h} rx={13} />
            <text x={x + w / 2} y={y + 17} textAnchor="middle">
              {shorten(relay.name, 21)}
            </text>
            <title>{relay.peer ? relay.name : `${relay.name}: not inspected itself`}</title>
          </g>
        ))}
        {placed.contexts.map(({ peer, x, y, width: w, height: h }) => (
          // biome-ignore lint/a11y/noStaticElementInteractions: the table below does the same, by keyboard
          <g
            key={peer.id}
            className={`topology-context is-${peer.state} ${peer.id === chosen ? 'chosen' : ''}`}
            onClick={() => onChoose(peer.id)}
          >
            <rect x={x} y={y} width={w} height={h} rx={4} />
            {leads(peer) && (
              <path
                className="topology-crown"
                d={CROWN}
                transform={`translate(${x + 5} ${y + 3})`}
              />
            )}
            <text x={x + w / 2 + (leads(peer) ? 9 : 0)} y={y + 15} textAnchor="middle">
              {shorten(peer.name, leads(peer) ? CHARACTERS - 4 : CHARACTERS)}
            </text>
            <title>{`${peer.name}${peer.status.lead.self ? ', leads its device' : ''}, ${peer.state}`}</title>
          </g>
        ))}
      </svg>
    </div>
  )
}

function leads({ status, state }: Peer): boolean {
  return status.lead.self && state !== 'gone'
}

/** The same in words. */
export function inWords({ devices, lines, relays }: Placed): string {
  const parts = devices.map(({ device }) => {
    const names = device.peers.filter(({ state }) => state !== 'gone').map(({ name }) => name)
    return names.length > 0 ? `${device.name} with ${list(names)}` : `${device.name}, all gone`
  })
  const links = lines
    .filter(({ link }) => link === 'relay')
    .map(({ from, state, to }) => {
      const device = devices.find(({ device: { peers } }) => peers.some(({ id }) => id === from))
      const peer = device?.device.peers.find(({ id }) => id === from)
      return `${peer?.name ?? from} is ${state} at relay room ${to}`
    })
  const head = `Topology: ${plural(devices.length, 'device')}${relays.length > 0 ? `, ${plural(relays.length, 'relay')}` : ', no relay'}`
  return [head, ...parts, ...links].join('. ')
}
