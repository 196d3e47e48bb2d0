#!/usr/bin/env node
/** The `crosstown-relay` command. */
import { readFileSync } from 'node:fs'
import { isBusError } from '@crosstown/bus/protocol'
import { Command, CommanderError } from 'commander'
import { exportCommand, importCommand } from './copy.ts'
import { deleteCommand } from './delete.ts'
import { deadLettersCommand, deleteGroupCommand, groupsCommand } from './groups.ts'
import { outboxCommand } from './outbox.ts'
import { endWithReader } from './output.ts'
import { replayCommand, statsCommand, tailCommand } from './read.ts'
import { serveCommand } from './serve.ts'
import { publishCommand } from './write.ts'

const EXIT_USAGE = 2

const manifest = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string }

const program = new Command('crosstown-relay')
  .description('The relay where the devices of a Crosstown room meet.')
  .version(manifest.version)
for (const command of [
  serveCommand(),
  tailCommand(),
  publishCommand(),
  replayCommand(),
  statsCommand(),
  exportCommand(),
  importCommand(),
  deleteCommand(),
  groupsCommand(),
  deadLettersCommand(),
  deleteGroupCommand(),
  outboxCommand(),
])
  program.addCommand(command)
for (const command of [program, ...program.commands]) {
  command.exitOverride().configureOutput({
    // A hint as "did you mean" comes on a line of its own; a log wants one line.
    outputError: (text, write) =>
      write(
        `crosstown-relay: ${text
          .replace(/^error: /, '')
          .trim()
          .replaceAll('\n', ' ')}\n`,
      ),
  })
}

endWithReader()
try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version end here as well, with 0; commander has written its line already.
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE
  } else if (isBusError(error)) {
    console.error(`crosstown-relay: ${error.message}`)
    process.exitCode = error.retryable ? 1 : EXIT_USAGE
  } else throw error
}
