// Broken builds of several relays on one store: see broken.ts.

export const RELAYS_BUILDS = [
  {
    name: 'blind-append',
    invariant: 4,
    fault: 'the store writes whatever head an append was decided on',
    file: 'edge-relay/dist/stores/memory.js',
    find: 'room ? !isHead(room.head, append.expected) :',
    replace: 'room ? false :',
    profile: 'relays',
  },
  {
    name: 'lost-race-won',
    invariant: 5,
    fault: 'a relay takes what another one wrote first for its own append',
    file: 'edge-relay/dist/room-host.js',
    find: `                if (!(await store.append(this.room, append))) {
                    this.#state = undefined;
                    continue;
                }`,
    replace: '                await store.append(this.room, append);',
    profile: 'relays',
  },
  {
    name: 'old-news',
    invariant: 3,
    fault: 'a relay that lost a race decides once more on what it knew',
    file: 'edge-relay/dist/room-host.js',
    find: `                if (!(await store.append(this.room, append))) {
                    this.#state = undefined;
                    continue;
                }`,
    replace: `                if (!(await store.append(this.room, append))) {
                    await new Promise((go) => platform.soon(go));
                    race = 0;
                    continue;
                }`,
    profile: 'relays',
  },
  {
    name: 'hearsay-conflict',
    invariant: 3,
    fault: 'an event is refused for what its stream was before another relay wrote to it',
    file: 'edge-relay/dist/room-host.js',
    find: 'isByState(replies, asks) && ',
    replace: 'false && ',
    profile: 'relays',
  },
  {
    name: 'deaf-relay',
    invariant: 6,
    fault: 'a relay does not look at a room when it hears that another one wrote to it',
    file: 'edge-relay/dist/room-host.js',
    find: '        this.#woken = true;',
    replace: '        return;',
    profile: 'relays',
  },
  {
    name: 'trusted-signals',
    invariant: 6,
    fault: 'what a lost signal told of is not found out by where the other relay stands',
    file: 'edge-relay/dist/node/room-node.js',
    find: 'known.epoch !== epoch || known.version < version',
    replace: 'false',
    profile: 'relays',
  },
] as const
