/** Sites beyond this machine, as far as the user has allowed them. */
import { CONTENT_SCRIPT, LOCAL_SITES } from './manifest.ts'

/**
 * A panel to Firefox's router, about the site of its tab: `use` runs the content script there, where
 * that is allowed, and is answered whether it is; `ask` opens a page in which the user can allow it.
 */
export interface SiteMessage {
  readonly site: 'use' | 'ask'
  readonly tab: number
  readonly origins: string[]
}

const SCRIPT_ID = 'allowed-sites'

const wanted = (origins: string[]): chrome.permissions.Permissions => ({
  permissions: ['scripting'],
  origins,
})

export const isAllowed = (origins: string[]): Promise<boolean> =>
  chrome.permissions.contains(wanted(origins))

/** The browser asks the user; to be called in a click. */
export const askFor = (origins: string[]): Promise<boolean> =>
  chrome.permissions.request(wanted(origins))

/** Pages that load from now on run the content script; an update of the extension forgets that. */
export async function coverAllowedSites(): Promise<void> {
  if (!chrome.scripting) return
  const { origins = [] } = await chrome.permissions.getAll()
  const matches = origins.filter((origin) => !LOCAL_SITES.includes(origin))
  await chrome.scripting.unregisterContentScripts({ ids: [SCRIPT_ID] }).catch(() => {})
  if (matches.length === 0) return
  await chrome.scripting.registerContentScripts([
    { id: SCRIPT_ID, js: [CONTENT_SCRIPT], matches, allFrames: true, runAt: 'document_start' },
  ])
}

/** The pages that are there already. */
export async function runIn(tab: number): Promise<void> {
  const target = { tabId: tab, allFrames: true }
  await chrome.scripting?.executeScript({ target, files: [CONTENT_SCRIPT] }).catch(() => {})
}
