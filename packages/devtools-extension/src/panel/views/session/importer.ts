/** Session files on their way into the panel: chosen, or dropped on it. */
import type { Hub } from '../../model/model.ts'
import { createStore, type Store } from '../../state/store.ts'
import type { Panel } from '../view.ts'

export type Import =
  | { readonly is: 'idle' }
  | { readonly is: 'reading'; readonly name: string; readonly share: number; cancel(): void }
  | { readonly is: 'failed'; readonly name: string; readonly words: string }

const IDLE: Import = { is: 'idle' }
const imports = new WeakMap<Hub, Store<Import>>()

export function importOf(hub: Hub): Store<Import> {
  let store = imports.get(hub)
  if (!store) {
    store = createStore<Import>(IDLE)
    imports.set(hub, store)
  }
  return store
}

/** Opens files one after the other; ends at the first that cannot be read, and says why. */
export async function importFiles(
  hub: Hub,
  panel: Pick<Panel, 'open' | 'say' | 'env'>,
  files: readonly File[],
): Promise<void> {
  const { openFile } = panel.env
  if (!openFile) return panel.say('Session files cannot be opened here')
  const store = importOf(hub)
  const before = store.get()
  if (before.is === 'reading') before.cancel()
  for (const file of files) {
    const { name } = file
    const giveUp = new AbortController()
    const cancel = () => giveUp.abort()
    const progress = (share: number): void => {
      if (!giveUp.signal.aborted) store.set({ is: 'reading', name, share, cancel })
    }
    progress(0)
    try {
      panel.open(await openFile(file, progress, giveUp.signal))
      panel.say(`Opened ${name}`)
    } catch (error) {
      if (giveUp.signal.aborted) {
        if (store.get().is === 'reading') store.set(IDLE)
        return
      }
      const words = error instanceof Error ? error.message : String(error)
      store.set({ is: 'failed', name, words })
      return
    }
  }
  store.set(IDLE)
}

export function dismissImport(hub: Hub): void {
  const state = importOf(hub).get()
  if (state.is === 'reading') state.cancel()
  importOf(hub).set(IDLE)
}
