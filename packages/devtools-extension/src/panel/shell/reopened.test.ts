import { expect, test } from 'vitest'
import type { InspectSource, SourceSink } from '../../sources/source.ts'
import { tellReopened } from './reopened.ts'

test('a source that comes back is told before its frames are; one that opens first is not', () => {
  const heard: string[] = []
  let inner: SourceSink | undefined
  const source: InspectSource = {
    label: 'this page',
    kind: 'extension',
    start(sink) {
      inner = sink
    },
    send: (text) => heard.push(`send ${text}`),
    close: () => heard.push('close'),
  }
  const told = tellReopened(source, () => heard.push('reopened'))
  told.start({
    frame: (text) => heard.push(text),
    state: (state, detail) => heard.push(detail === undefined ? state : `${state} ${detail}`),
    gone: (peers) => heard.push(`gone ${peers}`),
  })
  inner?.state('connecting')
  inner?.state('open')
  inner?.gone(['a'])
  inner?.state('reconnecting', 'away')
  inner?.state('open')
  inner?.frame('frame')
  inner?.state('open')
  told.send('x')
  told.close()
  expect(heard).toEqual([
    'connecting',
    'open',
    'gone a',
    'reconnecting away',
    'reopened',
    'open',
    'frame',
    'open',
    'send x',
    'close',
  ])
})
