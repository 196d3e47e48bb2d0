// Builds that are broken on purpose, one for each thing that always holds: the simulator must catch
// each of them. A build is the real one with one place of one file changed as it is loaded.
import { registerHooks } from 'node:module'
import { GROUP_BUILDS } from './broken-groups.ts'
import { RELAYS_BUILDS } from './broken-relays.ts'
import type { ProfileName } from './profiles.ts'

export interface BrokenBuild {
  readonly name: string
  /** Which of the invariants of docs/testing.md it breaks. */
  readonly invariant: number
  /** What is wrong with it. */
  readonly fault: string
  /** The file of a package's `dist`, from the package's folder on. */
  readonly file: string
  readonly find: string
  readonly replace: string
  /** Where it shows. */
  readonly profile: ProfileName
}

export const BROKEN_BUILDS: readonly BrokenBuild[] = [
  {
    name: 'stalled-pipeline',
    invariant: 1,
    fault: 'what gathered while a batch committed is not handed on',
    file: 'bus/dist/batch/pipeline.js',
    find: `        this.#pump();
        settle();`,
    replace: '        settle();',
    profile: 'calm',
  },
  {
    name: 'late-encoding',
    invariant: 2,
    fault: 'data is encoded when it is written, not when it is published',
    file: 'bus/dist/log/record.js',
    find: `        data.push(dataText);
        types.add(event.type);
        if (event.stream !== undefined)
            addTo(streams, event.stream, i, headerText, dataText);`,
    replace: `        data.push(JSON.stringify(entries[i].event.data));
        types.add(event.type);`,
    profile: 'calm',
  },
  {
    name: 'hopeful-promise',
    invariant: 3,
    fault: 'a publish resolves when its commit begins',
    file: 'bus/dist/device/hand-over.js',
    find: '            const record = writer.record(entries);',
    replace: `            const record = writer.record(entries);
            for (const { ticket } of batch.entries) ticket.resolve();`,
    profile: 'disk',
  },
  {
    name: 'forgotten-waiter',
    invariant: 3,
    fault: "a promise until 'relayed' is dropped when its batch is confirmed",
    file: 'bus/dist/sync/waiters.js',
    find: `    confirm(confirmation) {
        const`,
    replace: `    confirm(confirmation) {
        if (this.#unconfirmed.has(confirmation.batch))
            return;
        const`,
    profile: 'calm',
  },
  {
    name: 'ignored-conflict',
    invariant: 3,
    fault: 'the relay takes an event whatever it expects of its stream',
    file: 'edge-relay/dist/revisions.js',
    find: 'if (expected === undefined || holds(expected, head)) {',
    replace: 'if (stream) {',
    profile: 'streams',
  },
  {
    name: 'hasty-consumer',
    invariant: 3,
    fault: 'an event counts as settled when its handler begins',
    file: 'bus/dist/consume/cursor.js',
    find: "if (state === 'settled' || entry === also) {",
    replace: "if (state !== 'waiting' || entry === also) {",
    profile: 'durable',
  },
  {
    name: 'deaf-consumer',
    invariant: 3,
    fault: 'a durable consumer is not woken by what other contexts commit',
    file: 'bus/dist/bus.js',
    find: `            views.changed(head);
            consumers.wake(head);`,
    replace: '            views.changed(head);',
    profile: 'durable',
  },
  {
    name: 'lost-request',
    invariant: 3,
    fault: 'nobody looks whether who was asked is still there',
    file: 'bus/dist/request/desk.js',
    find: `            this.#review(asking, contexts);
        this.#answering`,
    replace: `            void asking;
        this.#answering`,
    profile: 'requests',
  },
  {
    name: 'asked-in-vain',
    invariant: 3,
    fault: 'the relay does not ask a device again whose connection was lost',
    file: 'edge-relay/dist/requests.js',
    find: 'ask.asked.has(name) || ',
    replace: '',
    profile: 'requests',
  },
  {
    name: 'crossed-replies',
    invariant: 3,
    fault: 'a reply is taken for that to another request',
    file: 'bus/dist/request/desk.js',
    find: 'const asking = this.#asks.get(key);',
    replace: 'const asking = this.#asks.values().next().value;',
    profile: 'requests',
  },
  {
    name: 'asked-of-all',
    invariant: 4,
    fault: 'every context of a device is given a request',
    file: 'bus/dist/request/asking.js',
    find: `            this.#asked.add(next.id);
            ask(this, next.id);`,
    replace: `            for (const one of those) {
                this.#asked.add(one.id);
                ask(this, one.id);
            }`,
    profile: 'requests',
  },
  {
    name: 'heard-twice',
    invariant: 4,
    fault: 'a context dispatches again what it has dispatched',
    file: 'bus/dist/sync/delivery.js',
    find: '            if (counter <= this.highest(prefix) || prefix === this.#prefix)',
    replace: '            if (prefix === this.#prefix)',
    profile: 'tabs',
  },
  {
    name: 'taken-twice',
    invariant: 4,
    fault: 'the relay takes a batch again that it has taken',
    file: 'edge-relay/dist/room.js',
    find: `    const { taken } = row;
    // A term`,
    replace: `    const taken = frame.prev === undefined ? undefined : { batch: frame.prev, id: '' };
    // A term`,
    profile: 'relay',
  },
  {
    name: 'posted-twice',
    invariant: 4,
    fault: 'the relay takes a post again that it has taken',
    file: 'edge-relay/dist/known.js',
    find: 'known: await knownPosts(store, room, state, command)',
    replace: 'known: new Map()',
    profile: 'relay',
  },
  {
    name: 'forgetful-room',
    invariant: 4,
    fault: 'the relay takes events again that it took and trimmed away',
    file: 'edge-relay/dist/room.js',
    find: "place === 'trimmed'",
    replace: 'false',
    profile: 'trimmed',
  },
  {
    name: 'two-cursors',
    invariant: 4,
    fault: 'a batch of the room is committed without moving the cursor',
    file: 'bus/dist/log/room-state.js',
    find: '        cursor: batch.position,',
    replace: '        cursor: state.cursor,',
    profile: 'calm',
  },
  {
    name: 'blind-fork',
    invariant: 4,
    fault: 'a copied log goes on as the device it was copied from',
    file: 'bus/dist/sync/reconcile.js',
    find: `    if (isFork(held, welcome))
        return { do: 'fork' };`,
    replace: '',
    profile: 'clones',
  },
  {
    name: 'two-leaders',
    invariant: 4,
    fault: 'every context takes the lead at once',
    file: 'bus/dist/device/turn.js',
    find: 'platform.locks.request(name, how',
    replace: 'platform.locks.request(name + options.holder, how',
    profile: 'calm',
  },
  {
    name: 'kept-lead',
    invariant: 4,
    fault: 'a page that is frozen leads on',
    file: 'bus/dist/device/lifecycle.js',
    find: `            actions.handOver();
            if (change`,
    replace: '            if (change',
    profile: 'lifecycle',
  },
  {
    name: 'early-ack',
    invariant: 5,
    fault: 'the relay acknowledges before it has committed',
    file: 'edge-relay/dist/room-host.js',
    find: '            if (isWritten || grouped.puts.length > 0) {',
    replace: `            for (const [i, entry] of group.entries()) this.#answer(entry, decision.replies[i]);
            if (isWritten || grouped.puts.length > 0) {`,
    profile: 'calm',
  },
  {
    name: 'early-broadcast',
    invariant: 5,
    fault: 'the relay sends events on before it has committed them',
    file: 'edge-relay/dist/room-host.js',
    find: '            if (isWritten || grouped.puts.length > 0) {',
    replace: `            if (decision.records.length > 0) this.delivery.broadcast(decision.records, decision.head);
            if (isWritten || grouped.puts.length > 0) {`,
    profile: 'calm',
  },
  {
    name: 'live-at-once',
    invariant: 6,
    fault: 'a device that joins is not sent what it missed',
    file: 'edge-relay/dist/delivery.js',
    find: `        void this.#pull(member, target);
    }
    detach`,
    replace: `        member.live = true;
    }
    detach`,
    profile: 'offline',
  },
  {
    name: 'skipped-history',
    invariant: 6,
    fault: "the stream goes on at the room's head, not at the cursor",
    file: 'edge-relay/dist/connection.js',
    find: '        this.place = place;',
    replace: '        this.place = head.place;',
    profile: 'offline',
  },
  {
    name: 'silent-gap',
    invariant: 6,
    fault: 'nobody is told that the room lost what this log had of it',
    file: 'bus/dist/sync/session.js',
    find: `        if (gap)
            events.gap(gap);`,
    replace: '',
    profile: 'restore',
  },
  {
    name: 'trusted-position',
    invariant: 6,
    fault: 'a restored room is taken for the one it was',
    file: 'edge-relay/dist/resume.js',
    find: 'return mark && isAt(mark, parsed) ? mark : undefined',
    replace: 'return mark',
    profile: 'restore',
  },
  {
    name: 'unchained',
    invariant: 6,
    fault: 'a position is believed for its own event, whatever stands before it',
    file: 'edge-relay/dist/resume.js',
    find: '(chain ?? mark.chain) === mark.chain',
    replace: 'true',
    profile: 'restore',
  },
  {
    name: 'credulous-room',
    invariant: 6,
    fault: 'a restored room takes what it trimmed away for what a device had of it',
    file: 'edge-relay/dist/resume.js',
    find: "if (reason === 'new_epoch' || reason === 'unknown_position')",
    replace: 'if (reason)',
    profile: 'trimmed',
  },
  {
    name: 'stale-view',
    invariant: 6,
    fault: 'a view goes on from what the room has lost',
    file: 'bus/dist/read/projector.js',
    find: 'if (point && !stands(point, state))',
    replace: 'if (false)',
    profile: 'views',
  },
  {
    name: 'stale-snapshot',
    invariant: 6,
    fault: 'a snapshot of a view is used, whatever the room has lost since',
    file: 'bus/dist/read/snapshot.js',
    find: 'if (version === view.version && stands(point, state))',
    replace: 'if (true)',
    profile: 'views',
  },
  {
    name: 'backwards',
    invariant: 7,
    fault: "events of a room's batch are dispatched last to first",
    file: 'bus/dist/sync/delivery.js',
    find: '            run.events.forEach((header, k) => {',
    replace: '            [...run.events.entries()].reverse().forEach(([k, header]) => {',
    profile: 'calm',
  },
  {
    name: 'unhealed',
    invariant: 7,
    fault: 'what the channel lost is not read from the log',
    file: 'bus/dist/sync/hearing.js',
    find: '    look() {',
    replace: `    look() {
        return Promise.resolve();`,
    profile: 'tabs',
  },
  {
    name: 'effect-first',
    invariant: 7,
    fault: 'events are posted to the other contexts long before their commit begins',
    file: 'bus/dist/device/hand-over.js',
    find: '                : writer.write(record, begun);',
    replace: `                : (begun(), new Promise((go) => this.#options.platform.timer(this.#options.platform.random() * 40, go)).then(() => writer.write(record)));`,
    profile: 'calm',
  },
  {
    name: 'deaf-after-restore',
    invariant: 7,
    fault: 'what is new in a restored room is not heard at places that it had before',
    file: 'bus/dist/sync/session.js',
    find: 'liveAfter: pastThrough({ liveAfter, cuts }, epoch, head.batch + 1),',
    replace: 'liveAfter,',
    profile: 'restore',
  },
  {
    name: 'overtaking-streams',
    invariant: 7,
    fault: 'an event of a stream does not wait for the one before it',
    file: 'bus/dist/consume/cursor.js',
    find: 'return entry.stream === undefined || this',
    replace: 'return true || this',
    profile: 'durable',
  },
  {
    name: 'one-for-all',
    invariant: 8,
    fault: 'a handler that throws stops the others',
    file: 'bus/dist/dispatch/dispatcher.js',
    find: `            if (waits?.handled) {
                const failed`,
    replace: `            throw error;
            if (waits?.handled) {
                const failed`,
    profile: 'calm',
  },
  {
    name: 'stuck-refusal',
    invariant: 8,
    fault: 'a batch that is refused as a whole takes no place',
    file: 'edge-relay/dist/room.js',
    find: '    const { refused: _, ...kept } = row;',
    replace: `    if (headers.length === 0) return reject(frame, 'forbidden', taken);
    const { refused: _, ...kept } = row;`,
    profile: 'calm',
  },
  {
    name: 'mute-guest',
    invariant: 8,
    fault: 'a page without a log is heard no more once it was in the back/forward cache',
    file: 'bus/dist/device/log-keeper.js',
    find: 'const has = this.#opening && !this.#hosted && ',
    replace: 'const has = this.#opening && ',
    profile: 'guests',
  },
  {
    name: 'endless-queue',
    invariant: 9,
    fault: 'any number of events may wait for the log',
    file: 'bus/dist/batch/pipeline.js',
    find: '        if (this.#events >= this.#limits.queueEvents || this.#bytes >= this.#limits.queueBytes) {',
    replace: '        if (false) {',
    profile: 'calm',
  },
  {
    name: 'hoarder',
    invariant: 9,
    fault: 'nothing is ever removed from a log',
    file: 'bus/dist/device/upkeep.js',
    find: 'more = (await log.trim({ events, bytes, before }, outbox)).more;',
    replace: '',
    profile: 'full',
  },
  {
    name: 'careless-trim',
    invariant: 9,
    fault: 'a log is trimmed without regard to what waits for the relay',
    file: 'bus/dist/device/upkeep.js',
    find: 'log.trim({ events, bytes, before }, outbox)',
    replace: 'log.trim({ events, bytes, before }, false)',
    profile: 'full',
  },
  {
    name: 'deaf-watchdog',
    invariant: 9,
    fault: 'a socket on which nothing comes is kept for ever',
    file: 'edge-relay/dist/connection.js',
    find: '        else if (nowMs - this.#heardMs >= silenceMs) {',
    replace: '        else if (false) {',
    profile: 'offline',
  },
  {
    name: 'ghosts',
    invariant: 9,
    fault: 'a context that is gone counts as there for ever',
    file: 'bus/dist/presence.js',
    find: `        this.#known.delete(key);
        if (old)`,
    replace: '        if (old)',
    profile: 'crashes',
  },
  ...GROUP_BUILDS,
  ...RELAYS_BUILDS,
]

/** Lets the process load this build instead; call it before anything of the packages is imported. */
export function loadBroken(build: BrokenBuild): () => void {
  let patched = false
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      if (!url.endsWith(`/packages/${build.file}`)) return loaded
      const source = String(loaded.source)
      if (source.split(build.find).length !== 2)
        throw new Error(`broken build ${build.name}: its place is not in ${build.file}, or twice`)
      patched = true
      return { ...loaded, source: source.replace(build.find, () => build.replace) }
    },
  })
  return () => {
    if (!patched) throw new Error(`broken build ${build.name}: ${build.file} was not loaded`)
  }
}
