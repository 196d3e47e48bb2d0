// Lets rounds begin without what earlier ones left behind.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Makes `globalThis.gc` of this process. */
export function exposeGarbageCollector() {
  setFlagsFromString('--expose-gc')
  globalThis.gc ??= runInNewContext('gc')
}
