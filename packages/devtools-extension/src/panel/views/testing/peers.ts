/** Peers of the story as a session has them, for views that are tried without one. */
import type { Peer } from '../../model/model.ts'
import { CAST, helloOf } from './story.ts'

/** All of the cast; `changed` by id. */
export function storyPeers(
  changed: { readonly [id: string]: Partial<Peer> } = {},
): Map<string, Peer> {
  const pages = new Map<string, number>()
  return new Map(
    CAST.map((cast, i) => {
      const hello = helloOf(cast)
      const n = (pages.get(cast.kind) ?? 0) + 1
      pages.set(cast.kind, n)
      const name = { page: `tab ${n} · ${cast.title}`, node: 'orders · node' }[cast.kind as string]
      const peer: Peer = {
        id: cast.id,
        hello,
        name: name ?? cast.kind.replace('-', ' '),
        status: hello.status,
        subscriptions: new Map(hello.subscriptions.map((one) => [one.sub, one])),
        views: new Map(hello.views.map((one) => [one.view, one])),
        device: cast.device,
        state: 'live',
        sources: ['this page'],
        since: i,
        lastHeard: i,
        skew:
          cast.device === 'device-phone' ? { ms: 340, uncertainty: 4 } : { ms: 0, uncertainty: 0 },
        rate: { published: 0, received: 0, handled: 0 },
        lost: 0,
        missed: [],
        away: [],
        pauses: [],
        ...changed[cast.id],
      }
      return [cast.id, peer]
    }),
  )
}
