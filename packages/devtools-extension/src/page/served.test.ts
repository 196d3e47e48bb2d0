import { expect, it } from 'vitest'
import { servedBy } from './served.ts'

it.each([
  ['http://127.0.0.1:8787/inspector/?room=42', { url: 'http://127.0.0.1:8787', room: '42' }],
  ['https://relay.example/inspector/', { url: 'https://relay.example' }],
  ['https://x.example/a/b/inspector/?room=r#top', { url: 'https://x.example/a/b', room: 'r' }],
  ['https://x.example/inspector/?room=', { url: 'https://x.example' }],
  ['https://x.example/', undefined],
  ['https://x.example/inspector/other/', undefined],
  ['file:///home/inspector/', undefined],
])('%s is served by %j', (href, relay) => {
  expect(servedBy(href)).toEqual(relay)
})
