import type { PresenceMember } from '@crosstown/bus'
import { CrownIcon } from '../icons.tsx'
import { Face } from './faces.tsx'

const KINDS: Readonly<Record<PresenceMember['kind'], string>> = {
  page: 'Tab',
  worker: 'Worker',
  'service-worker': 'Service worker',
  process: 'Service',
}

const ORIGINS: Readonly<Record<PresenceMember['origin'], string>> = {
  self: 'this one',
  device: 'this device',
  room: 'another device',
}

/** Everyone in the room: tabs and workers of this device, other devices, services. */
export function Members({ members }: { members: readonly PresenceMember[] }) {
  return (
    <div className="detail members">
      <h2>Who is here</h2>
      <ul>
        {members.map((member) => (
          <li
            key={member.id}
            data-testid="member"
            data-kind={member.kind}
            data-origin={member.origin}
            data-source={member.source}
          >
            <Face member={member} />
            <span>{member.kind === 'process' ? member.source : KINDS[member.kind]}</span>
            <small>{ORIGINS[member.origin]}</small>
            {member.leader && (
              <>
                <CrownIcon />
                <span className="visually-hidden">leads its device</span>
              </>
            )}
          </li>
        ))}
      </ul>
    </div>
  )
}
