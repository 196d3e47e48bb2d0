import * as z from 'zod'

export const users = {
  'user.registered': z.object({ userId: z.string(), email: z.email(), name: z.string().min(1) }),
  // Which fields, not what is in them: an event stays in logs that a deletion does not reach.
  'user.profile_changed': z.object({ userId: z.string(), fields: z.array(z.string()).min(1) }),
  'user.deleted': z.object({ userId: z.string() }),
}
