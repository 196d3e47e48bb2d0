import type { PresenceMember } from '@crosstown/bus'
import type { ReactNode } from 'react'
import { GearIcon, ServerIcon, TabIcon } from '../icons.tsx'

const ICONS: Readonly<Record<PresenceMember['kind'], ReactNode>> = {
  page: <TabIcon />,
  worker: <GearIcon />,
  'service-worker': <GearIcon />,
  process: <ServerIcon />,
}

export const Face = ({ member: { kind, origin } }: { member: PresenceMember }) => (
  <span className="face" data-origin={origin}>
    {ICONS[kind]}
  </span>
)

const SHOWN = 5

/** Who is here, at a glance. */
export function Faces({ members }: { members: readonly PresenceMember[] }) {
  return (
    <span className="faces">
      {members.slice(0, SHOWN).map((member) => (
        <Face key={member.id} member={member} />
      ))}
    </span>
  )
}
