/** What the panel is given by whatever shows it: an extension's panel, a page of the relay, a test. */
import type { InspectSource } from '../sources/source.ts'

export interface PanelEnv {
  /** The theme of the browser's DevTools; absent where the panel follows the system's. */
  readonly theme?: ThemeSource
  readonly storage: PanelStorage
  /** Hands a file to the user. */
  download(name: string, file: Blob): void
  /** Writes to the clipboard; rejects where the browser does not allow it. */
  copy(text: string): Promise<void>
  /** Opens the inspect socket of a relay; absent where the panel cannot. */
  readonly openRelay?: (relay: RelayAddress) => InspectSource
  /** Opens a session file, and rejects in words what is none; absent where the panel cannot. */
  readonly openFile?: (
    file: File,
    progress?: (share: number) => void,
    signal?: AbortSignal,
  ) => Promise<InspectSource>
  /** Asks for access to the inspected site, where an extension does not have it yet. */
  readonly enableSite?: () => Promise<void>
  /** Filled into the connect form: a relay that serves this page, say. */
  readonly relay?: Partial<RelayAddress>
  /** Whether a token that is typed in is there again after a reload, in this tab only. */
  readonly keepsToken?: boolean
}

export interface ThemeSource {
  readonly current: 'light' | 'dark'
  subscribe(changed: () => void): () => void
}

/** Texts by key, kept between visits. */
export interface PanelStorage {
  read(key: string): Promise<string | undefined>
  write(key: string, text: string): Promise<void>
}

export interface RelayAddress {
  /** `ws:`, `wss:`, `http:` or `https:`. */
  readonly url: string
  readonly room: string
  readonly token?: string | undefined
}
