import { expect, test } from 'vitest'
import type { InspectSource, SourceSink } from '../../sources/source.ts'
import { openedLater } from './opened-later.ts'

function recorded() {
  const did: string[] = []
  const source: InspectSource = {
    label: 'this page',
    kind: 'page',
    start: () => did.push('start'),
    send: (text) => did.push(`send ${text}`),
    close: () => did.push('close'),
  }
  return { did, source }
}
const sink: SourceSink = { frame() {}, state() {}, gone() {} }

test('nothing is listened to before the panel is shown', async () => {
  const { did, source } = recorded()
  const { promise, resolve } = Promise.withResolvers<void>()
  const later = openedLater(source, promise)
  later.start(sink)
  later.send('too early')
  await Promise.resolve()
  expect(did).toEqual([])
  resolve()
  await promise
  later.send('attach')
  later.close()
  expect(did).toEqual(['start', 'send attach', 'close'])
})

test('a panel that is closed before it was shown listens to nothing', async () => {
  const { did, source } = recorded()
  const { promise, resolve } = Promise.withResolvers<void>()
  const later = openedLater(source, promise)
  later.start(sink)
  later.close()
  resolve()
  await promise
  later.send('attach')
  expect(did).toEqual([])
})
