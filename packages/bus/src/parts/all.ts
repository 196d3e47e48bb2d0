/** All parts, there from the beginning. */
import * as groups from '../consume/group-member.ts'
import * as rare from '../log/indexeddb-rare.ts'
import * as memory from '../log/memory.ts'
import { wholePart } from '../part.ts'
import type { Parts } from '../parts.ts'
import * as request from '../request/desk.ts'
import * as consume from './consume.ts'
import * as guests from './guests.ts'
import * as inspect from './inspect.ts'
import * as read from './read.ts'

export const allParts: Parts = {
  consume: wholePart(consume),
  groups: wholePart(groups),
  guests: wholePart(guests),
  inspect: wholePart(inspect),
  memory: wholePart(memory),
  rare: wholePart(rare),
  read: wholePart(read),
  request: wholePart(request),
}
