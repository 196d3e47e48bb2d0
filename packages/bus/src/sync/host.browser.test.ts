import { expect, it } from 'vitest'
import type { EventHeader } from '../event.ts'
import { indexedDbLog } from '../indexed-db-log.ts'
import type { Log } from '../log/log.ts'
import { LogWriter } from '../log/writer.ts'
import { runtimePlatform } from '../platform.ts'
import type { LinkFrame } from '../protocol/link-frames.ts'
import { LogHost } from './host.ts'

const platform = runtimePlatform()

/** Two contexts that share a database, each a host. */
async function contexts(): Promise<{ name: string; log: Log; host: LogHost; id: string }[]> {
  const database = `host-${platform.randomText(8)}`
  return Promise.all(
    ['a', 'b'].map(async (name) => {
      const log = indexedDbLog().create(database, '', platform)
      const { logId: id } = await log.open()
      const keeper = { log, id, writer: new LogWriter(log, platform) }
      const host = new LogHost({
        platform,
        prefix: name,
        keeper: () => keeper,
        tell: () => {},
        outboxFull: () => false,
        confirmed: () => 0,
      })
      return { name, log, host, id }
    }),
  )
}

it('what two contexts are asked to keep at the same time is in their log once', async () => {
  const both = await contexts()
  for (let n = 1; n <= 20; n++) {
    const events: EventHeader[] = [{ id: `g-${n}`, type: 'a', source: 'x', time: 1 }]
    const answers = both.map(
      ({ name, host, id }) =>
        new Promise<LinkFrame>((resolve) => {
          const submit = {
            frame: 'submit',
            log: 'none',
            to: name,
            of: id,
            prefix: 'g',
            events,
          } as const
          host.submitted(submit, ['1'], { send: resolve })
        }),
    )
    const taken = await Promise.all(answers)
    expect(taken).toMatchObject([
      { frame: 'taken', last: n, batch: n },
      { frame: 'taken', last: n, batch: n },
    ])
  }
  const records = (await both[0]?.log.read(0, 100)) ?? []
  expect(records.map(({ headers }) => headers.map(({ id }) => id))).toEqual(
    Array.from({ length: 20 }, (_, n) => [`g-${n + 1}`]),
  )
  await Promise.all(both.map(({ log }) => log.close()))
})
