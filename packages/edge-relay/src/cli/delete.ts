/** `delete-room`: a room, for good. */
import { BusError } from '@crosstown/bus/protocol'
import { Command } from 'commander'
import { writeLine } from './output.ts'
import { aboutRoom, Target, type TargetFlags } from './target.ts'

interface DeleteFlags extends TargetFlags {
  readonly yes?: boolean
}

/** `crosstown-relay delete-room --room 42 --yes`. */
export function deleteCommand(): Command {
  return aboutRoom(new Command('delete-room').description('delete a room, with all that is in it'))
    .option('--yes', 'do it: there is no way back')
    .action(deleteRoom)
}

async function deleteRoom(flags: DeleteFlags): Promise<void> {
  const { room, yes } = flags
  if (!yes) {
    const what = `room ${room} would be gone for good: say --yes, and export it before if in doubt`
    throw new BusError('invalid_options', what)
  }
  await new Target(flags).fetch('', { method: 'DELETE' })
  await writeLine(JSON.stringify({ deleted: room }))
}
