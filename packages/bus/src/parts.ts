/**
 * The parts that are not loaded with the bus, but when something needs them. The one file with an
 * `import()`; whoever cannot have that imports `@crosstown/bus/all`.
 */
import type { GroupMember } from './consume/group-member.ts'
import { lazyPart, type Part } from './part.ts'

export interface Parts {
  readonly consume: Part<typeof import('./parts/consume.ts')>
  readonly groups: Part<{ readonly GroupMember: typeof GroupMember }>
  readonly guests: Part<typeof import('./parts/guests.ts')>
  readonly inspect: Part<typeof import('./parts/inspect.ts')>
  readonly memory: Part<typeof import('./log/memory.ts')>
  readonly rare: Part<typeof import('./log/indexeddb-rare.ts')>
  readonly read: Part<typeof import('./parts/read.ts')>
  readonly request: Part<typeof import('./request/desk.ts')>
}

export const lazyParts: Parts = {
  consume: lazyPart('consume', () => import('./parts/consume.ts')),
  groups: lazyPart('groups', () => import('./consume/group-member.ts')),
  guests: lazyPart('guests', () => import('./parts/guests.ts')),
  inspect: lazyPart('inspect', () => import('./parts/inspect.ts')),
  memory: lazyPart('memory', () => import('./log/memory.ts')),
  rare: lazyPart('rare', () => import('./log/indexeddb-rare.ts')),
  read: lazyPart('read', () => import('./parts/read.ts')),
  request: lazyPart('request', () => import('./request/desk.ts')),
}
