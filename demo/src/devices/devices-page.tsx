import { Mark } from '../icons.tsx'
import { roomFrom } from '../room.ts'
import { ThemeSwitch } from '../shell/theme-switch.tsx'

const DEVICES = [
  { kind: 'laptop', name: 'A laptop', device: undefined },
  { kind: 'phone', name: 'A phone', device: 'b' },
] as const

/**
 * Two devices in one window, to be shown. Each frame is a page of the shop; the phone's bus has
 * another name, and so a log and a channel of its own: the two meet at the relay only.
 */
export function DevicesPage() {
  const room = roomFrom(location.search)
  const shop = urlOf(room, undefined)
  return (
    <>
      <header className="top">
        <a className="brand" href={shop}>
          <Mark />
          <span>Corner shop</span>
        </a>
        <h1 className="devices-title">
          Two devices, one room <small data-testid="room">{room}</small>
        </h1>
        <div className="tools">
          <ThemeSwitch />
        </div>
      </header>
      <main className="devices">
        {DEVICES.map(({ kind, name, device }) => (
          <figure key={kind} className="device" data-kind={kind}>
            <figcaption>{name}</figcaption>
            <iframe title={name} src={urlOf(room, device)} data-testid={`device-${kind}`} />
          </figure>
        ))}
      </main>
    </>
  )
}

function urlOf(room: string, device: string | undefined): string {
  const url = new URL('.', location.href)
  url.searchParams.set('room', room)
  if (device) url.searchParams.set('device', device)
  return url.href
}
