/** What HTTP gives and takes of groups, as schemas. */
import * as z from 'zod'
import { Event } from './schemas.ts'

const Member = z.object({
  device: z.string().meta({ description: 'What others in the room know its device by.' }),
  member: z.string(),
})

/** One group. */
export const Group: z.ZodType = z
  .object({
    name: z.string(),
    options: z.object({
      types: z.array(z.string()),
      ackWait: z.number().meta({ description: 'Milliseconds.' }),
      backoff: z.array(z.number()).optional(),
      maxDeliver: z.int(),
      maxAckPending: z.int(),
      orderBy: z.literal('stream').optional(),
    }),
    leased: z.int().min(0).meta({ description: 'Events that members hold.' }),
    waiting: z.int().min(0).meta({
      description: 'Events to be leased again, or after others of their stream.',
    }),
    behind: z.int().min(0).meta({ description: 'Places of the room that it has not come to.' }),
    dead: z.int().min(0).meta({ description: 'Dead letters.' }),
    members: z.array(Member.extend({ credit: z.int().optional(), holds: z.int().min(0) })).meta({
      description:
        'Those that are connected to this relay, and, without `credit`, those of others that hold something.',
    }),
  })
  .meta({ id: 'Group' })

/** All groups of a room. */
export const Groups: z.ZodType = z.object({ groups: z.array(Group) }).meta({ id: 'Groups' })

/** Some of the dead letters of a group. */
export const DeadLetters: z.ZodType = z
  .object({
    letters: z.array(
      z.object({
        place: z.int().min(1).meta({ description: 'Where its event stands in the room.' }),
        type: z.string(),
        stream: z.string().optional(),
        reason: z.string(),
        attempts: z.int().min(0),
        member: Member.optional().meta({ description: 'Who had it last.' }),
        time: z.number().meta({ description: 'When it was given up, in milliseconds since 1970.' }),
        event: Event.optional().meta({
          description: 'Where the room keeps it, and the token may read it.',
        }),
      }),
    ),
    next: z.int().optional().meta({ description: '`after` of the next page, where there is one.' }),
  })
  .meta({ id: 'DeadLetters' })

/** How many dead letters something was done to. */
export const Settled: z.ZodType = z
  .object({ count: z.int().min(0).meta({ description: 'Dead letters.' }) })
  .meta({ id: 'Settled' })
