/** Profiles of users: read through a cache, written to a server. */
import type { CatalogueBus } from '../catalogue/catalogue.ts'
import { type Cache, cached } from './cached.ts'

export interface Profile {
  readonly name: string
}

/** The server that has them. */
export interface ProfileServer {
  read(userId: string): Promise<Profile>
  write(userId: string, profile: Profile): Promise<void>
}

/** Another configuration may show every profile in another way; a change of one user only theirs. */
export const cachedProfiles = (bus: CatalogueBus, server: ProfileServer): Cache<Profile> =>
  cached(bus, {
    changedBy: ['user.*', 'system.config_changed'],
    keyOf: (event) => ('userId' in event.data ? event.data.userId : undefined),
    load: (userId) => server.read(userId),
  })

/**
 * The event comes after the write: told before it, another tab would load what is about to change and
 * keep it. It says what changed and not to what, so nobody needs it to be in order.
 */
export async function saveProfile(
  bus: CatalogueBus,
  server: ProfileServer,
  userId: string,
  profile: Profile,
): Promise<void> {
  await server.write(userId, profile)
  await bus.publish('user.profile_changed', { userId, fields: Object.keys(profile) })
}
