/** The ways to copy an event, as lines of a menu. */

import { asTest } from '../../copy/as-test.ts'
import { asCode, asCurl, asJson } from '../../copy/copy-as.ts'
import { loadData } from '../../copy/load.ts'
import { testPlan } from '../../copy/test-plan.ts'
import type { EventRow, Hub, Session } from '../../model/model.ts'
import { errorText } from '../../ui/error-text.ts'
import { plural } from '../../ui/format.ts'
import type { MenuItem } from '../../ui/menu.tsx'
import type { ViewProps } from '../view.ts'

/** Events copied at once, at most: each is asked for. */
const MOST = 500

export function copyItems(
  { hub, session, selection, panel }: ViewProps,
  row: EventRow,
): MenuItem[] {
  const { event } = row
  function copyData(what: string, write: (data: unknown) => string): void {
    loadData(hub, row).then(
      (data) => panel.copy(write(data), what),
      (error: unknown) => panel.say(`Not copied. ${errorText(error)}`),
    )
  }
  const { ids } = selection.get()
  const several = ids.has(row.id) ? [...ids].flatMap((id) => session.event(id) ?? []) : []
  function copySeveral(): void {
    copyAll(hub, several).then(
      (text) => panel.copy(text, plural(several.length, 'event')),
      (error: unknown) => panel.say(`Not copied. ${errorText(error)}`),
    )
  }
  const tested = several.length > 1 ? several : [row]
  const plan = testPlan(session, tested)
  function copyTest(): void {
    if (typeof plan === 'string') return
    loadAll(
      hub,
      plan.events.map((event) => event.row),
    ).then(
      (data) => panel.copy(asTest(plan, data), 'the test'),
      (error: unknown) => panel.say(`Not copied. ${errorText(error)}`),
    )
  }
  const relay = relayOf(session, row)
  const curlHint =
    relay === undefined ? 'no relay' : event.encoding === 'devalue' ? 'not plain JSON' : undefined
  return [
    ...(several.length > 1 && several.length <= MOST
      ? [
          {
            label: `Copy ${plural(several.length, 'event')} as JSON`,
            icon: 'copy' as const,
            run: copySeveral,
          },
        ]
      : []),
    {
      label: 'Copy as JSON',
      icon: 'copy',
      run: () => copyData('the event as JSON', (data) => asJson(event, data)),
    },
    {
      label: 'Copy as publish code',
      run: () => copyData('the code that publishes it', (data) => asCode(event, data)),
    },
    {
      label: 'Copy as curl to the relay',
      ...(curlHint !== undefined && { hint: curlHint, disabled: true }),
      run: () => {
        if (relay) copyData('the curl command', (data) => asCurl(event, data, relay))
      },
    },
    {
      label:
        tested.length > 1 ? `Copy ${tested.length} events as failing test` : 'Copy as failing test',
      ...(typeof plan === 'string' && { hint: plan, disabled: true }),
      run: copyTest,
    },
    'line',
    { label: 'Copy id', hint: event.id, run: () => panel.copy(event.id, 'the id') },
    { label: 'Copy type', run: () => panel.copy(event.type, 'the type') },
    {
      label: 'Copy filter for its conversation',
      run: () => panel.copy(`corr:${event.correlationId ?? event.id}`, 'the filter'),
    },
  ]
}

/** Events as a JSON array, in the order of the log. */
async function copyAll(hub: Hub, rows: readonly EventRow[]): Promise<string> {
  const texts: string[] = []
  for (const row of rows.toSorted((a, b) => a.row - b.row))
    texts.push(asJson(row.event, await loadData(hub, row)))
  return `[${texts.join(',\n')}]`
}

async function loadAll(hub: Hub, rows: readonly EventRow[]): Promise<ReadonlyMap<string, unknown>> {
  const data = new Map<string, unknown>()
  for (const row of rows) data.set(row.id, await loadData(hub, row))
  return data
}

/** The relay an event goes to: its publisher's, or any there is. */
function relayOf(session: Session, row: EventRow): { url: string; room: string } | undefined {
  const own = session.peers.get(row.publisher)?.hello.relay
  if (own) return own
  for (const peer of session.peers.values()) if (peer.hello.relay) return peer.hello.relay
  return undefined
}
