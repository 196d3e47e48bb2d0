// Builds that are broken on purpose, one for each thing that always holds: the simulator must catch
// each of them. A build is the real one with one place of one file changed as it is loaded.
import { registerHooks } from 'node:module'
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
    fault: 'what filled up while a batch committed is not handed on',
    file: 'bus/dist/batch/pipeline.js',
    find: `this.#pump();
        settle();`,
    replace: 'settle();',
    profile: 'calm',
  },
  {
    name: 'late-encoding',
    invariant: 2,
    fault: 'data is encoded when it is written, not when it is published',
    file: 'bus/dist/log/record.js',
    find: 'data.push(dataText);\n        types.add(event.type);',
    replace: 'data.push(JSON.stringify(entries[i].event.data));\n        types.add(event.type);',
    profile: 'disk',
  },
  {
    name: 'hopeful-promise',
    invariant: 3,
    fault: 'a publish resolves when its commit begins',
    file: 'bus/dist/device/hand-over.js',
    find: 'const record = writer.record(batch.persisted);',
    replace:
      'const record = writer.record(batch.persisted); for (const { ticket } of batch.entries) ticket.resolve();',
    profile: 'disk',
  },
  {
    name: 'deaf-to-duplicates',
    invariant: 4,
    fault: 'a receiver dispatches again what it has dispatched',
    file: 'bus/dist/sync/peers.js',
    find: 'if (!(counter > highest))',
    replace: 'if (!(counter > 0))',
    profile: 'tabs',
  },
  {
    name: 'room-without-memory',
    invariant: 4,
    fault: 'the relay takes a batch again that it has taken',
    file: 'edge-relay/dist/room.js',
    find: '?',
    replace: '',
    profile: 'relay',
  },
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
