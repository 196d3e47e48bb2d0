/** `groups`, `dead-letters` and `delete-group`: what the groups of a room do, and what they gave up. */
import { BusError } from '@crosstown/bus/protocol'
import { type Command, InvalidArgumentError, Command as Made } from 'commander'
import { writeLine } from './output.ts'
import { aboutRoom, Target, type TargetFlags } from './target.ts'

interface GroupFlags extends TargetFlags {
  readonly group: string
}

interface LettersFlags extends GroupFlags {
  readonly redrive?: boolean
  readonly discard?: boolean
  readonly place?: number
}

interface Letters {
  readonly letters: readonly unknown[]
  readonly next?: number
}

/** `crosstown-relay groups --room 42`: a line for each. */
export function groupsCommand(): Command {
  return aboutRoom(
    new Made('groups').description('the groups of a room, and how far each is'),
  ).action(async (flags: TargetFlags) => {
    const { groups } = (await new Target(flags).json('/groups')) as { groups: readonly unknown[] }
    for (const group of groups) await writeLine(JSON.stringify(group))
  })
}

/** `crosstown-relay dead-letters --room 42 --group mail [--redrive | --discard] [--place 7]`. */
export function deadLettersCommand(): Command {
  return aboutGroup(
    new Made('dead-letters').description('what a group gave up, a line for each; or try it again'),
  )
    .option('--redrive', 'have them leased once more')
    .option('--discard', 'drop them')
    .option('--place <place>', 'only the one at this place of the room', parsePlace)
    .action(deadLetters)
}

/** `crosstown-relay delete-group --room 42 --group mail --yes`. */
export function deleteGroupCommand(): Command {
  return aboutGroup(new Made('delete-group').description('delete a group, with its dead letters'))
    .option('--yes', 'do it: who joins after that begins anew')
    .action(async (flags: GroupFlags & { readonly yes?: boolean }) => {
      const { group, yes } = flags
      if (!yes) {
        const what = `group ${group} would be gone, and its place in the room with it: say --yes`
        throw new BusError('invalid_options', what)
      }
      await new Target(flags).fetch(pathOf(group), { method: 'DELETE' })
      await writeLine(JSON.stringify({ deleted: group }))
    })
}

function aboutGroup(command: Command): Command {
  return aboutRoom(command).requiredOption('--group <group>', 'name of the group')
}

async function deadLetters(flags: LettersFlags): Promise<void> {
  const { discard, group, place, redrive } = flags
  if (discard && redrive) throw new BusError('invalid_options', 'say either --redrive or --discard')
  const target = new Target(flags)
  const one = place === undefined ? '' : `/${place}`
  if (redrive || discard) {
    const path = `${pathOf(group)}/${redrive ? 'redrive' : 'dead'}${one}`
    const { count } = (await target.json(path, { method: redrive ? 'POST' : 'DELETE' })) as {
      count: number
    }
    await writeLine(JSON.stringify({ [redrive ? 'redriven' : 'discarded']: count }))
    return
  }
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page = (await target.json(`${pathOf(group)}/dead?after=${after}`)) as Letters
    for (const letter of page.letters) {
      if (place === undefined || (letter as { place?: number }).place === place)
        await writeLine(JSON.stringify(letter))
    }
    after = page.next
  }
}

function pathOf(group: string): string {
  return `/groups/${encodeURIComponent(group)}`
}

function parsePlace(text: string): number {
  const place = Number(text)
  if (Number.isSafeInteger(place) && place > 0) return place
  throw new InvalidArgumentError('a place is a whole number from 1')
}
