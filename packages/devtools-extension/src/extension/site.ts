/** The site of the inspected tab, and the extension's access to it. */
import type { TabAccess } from '../sources/extension.ts'
import { CONTENT_SCRIPT, LOCAL_SITES } from './manifest.ts'

export interface Site extends TabAccess {
  /** Asks the user for the site of the tab; to be called in a click. */
  enable(): Promise<void>
}

const SCRIPT_ID = 'allowed-sites'

export function siteOf(tab: number): Site {
  // Asked for before the click: a browser forgets a click soon.
  let origins: string[] = []
  void coverAllowedSites()
  return {
    async state() {
      const url = await addressOf(tab)
      if (!url || !/^https?:$/.test(url.protocol)) return { access: 'none' }
      origins = [`${url.protocol}//${url.hostname}/*`]
      const known = { access: 'granted', site: url.origin } as const
      if (isLocal(url)) return known
      const granted = await chrome.permissions?.contains({ permissions: ['scripting'], origins })
      if (!granted) return { access: 'site', site: url.origin }
      await runIn(tab)
      return known
    },
    async enable() {
      if (origins.length === 0) throw new Error('The tab shows no site that could be asked for.')
      if (!(await chrome.permissions.request({ permissions: ['scripting'], origins }))) return
      await coverAllowedSites()
      await runIn(tab)
    },
  }
}

/** Of a tab's address the extension sees what DevTools show, or what it was given access to. */
async function addressOf(tab: number): Promise<URL | undefined> {
  const inspected = chrome.devtools?.inspectedWindow
  const address = inspected
    ? await new Promise<unknown>((resolve) =>
        inspected.eval('location.href', (...[href]) => resolve(href)),
      )
    : (await chrome.tabs?.get(tab).catch(() => undefined))?.url
  return typeof address === 'string' && URL.canParse(address) ? new URL(address) : undefined
}

const isLocal = ({ protocol, hostname }: URL): boolean =>
  LOCAL_SITES.includes(`${protocol}//${hostname}/*`)

/** Pages that load from now on run the script; an update of the extension forgets that. */
async function coverAllowedSites(): Promise<void> {
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
async function runIn(tab: number): Promise<void> {
  const target = { tabId: tab, allFrames: true }
  await chrome.scripting.executeScript({ target, files: [CONTENT_SCRIPT] }).catch(() => {})
}
