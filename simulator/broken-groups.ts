// Broken builds of groups: see broken.ts.

export const GROUP_BUILDS = [
  {
    name: 'thrown-is-done',
    invariant: 3,
    fault: 'a member acknowledges what its handler threw on',
    file: 'bus/dist/consume/group-work.js',
    find: "this.#say(held, 'nak', 'delayMs' in verdict ? verdict.delayMs : 0, reason);",
    replace: "this.#say(held, 'ack');",
    profile: 'groups',
  },
  {
    name: 'leased-twice',
    invariant: 4,
    fault: 'the lease of a member of a group ends after a tenth of a second',
    file: 'edge-relay/dist/group/core.js',
    find: 'member: taker.key, until: this.#now + waitMs',
    replace: 'member: taker.key, until: this.#now + 100',
    profile: 'groups',
  },
  {
    name: 'stale-leases',
    invariant: 4,
    fault: 'a member of a group says anew that it holds nothing, and goes on with it',
    file: 'bus/dist/consume/group-member.js',
    find: 'const holds = this.#work.holds;',
    replace: 'const holds = [];',
    profile: 'groups',
  },
  {
    name: 'deaf-member',
    invariant: 6,
    fault: 'a member of a group does not join anew by the next connection',
    file: 'bus/dist/consume/group-member.js',
    find: `            this.#startAnew(line.epoch);
        this.#join();`,
    replace: `            this.#startAnew(line.epoch), this.#join();`,
    profile: 'groups',
  },
  {
    name: 'unordered-group',
    invariant: 7,
    fault: 'a group leases what follows in a stream before what it follows is done',
    file: 'edge-relay/dist/group/core.js',
    find: 'const isBusy = inOrder && stream !== undefined && busy.has(stream);',
    replace: 'const isBusy = false;',
    profile: 'groups',
  },
  {
    name: 'held-for-ever',
    invariant: 9,
    fault: 'the lease of a member of a group never ends by itself',
    file: 'edge-relay/dist/group/core.js',
    find: 'if (one.member === undefined || one.until > this.#now)',
    replace: 'if (true)',
    profile: 'groups',
  },
] as const
