/** The site of the inspected tab, and the extension's access to it. */
import type { TabAccess } from '../sources/extension.ts'
import { askFor, coverAllowedSites, isAllowed, runIn, type SiteMessage } from './allowed.ts'
import { LOCAL_SITES } from './manifest.ts'

export interface Site extends TabAccess {
  /** Asks the user for the site of the tab; to be called in a click. */
  enable(): Promise<void>
}

export function siteOf(tab: number): Site {
  // Known before the click: a browser forgets a click soon.
  let origins: string[] = []
  const access = chrome.permissions ? direct(tab) : routed(tab)
  return {
    async state() {
      const url = await addressOf(tab)
      if (!url || !/^https?:$/.test(url.protocol)) return { access: 'none' }
      origins = [`${url.protocol}//${url.hostname}/*`]
      const allowed = isLocal(url) || (await access.use(origins))
      return { access: allowed ? 'granted' : 'site', site: url.origin }
    },
    async enable() {
      if (origins.length === 0) throw new Error('The tab shows no site that could be asked for.')
      await access.ask(origins)
    },
  }
}

interface Access {
  /** Runs the content script in the tab, where its site is allowed. */
  use(origins: string[]): Promise<boolean>
  ask(origins: string[]): Promise<void>
}

function direct(tab: number): Access {
  void coverAllowedSites()
  return {
    async use(origins) {
      const allowed = await isAllowed(origins)
      if (allowed) await runIn(tab)
      return allowed
    },
    async ask(origins) {
      if (!(await askFor(origins))) return
      await coverAllowedSites()
      await runIn(tab)
    },
  }
}

/** A panel in Firefox's DevTools may ask for nothing: the router does, or opens a page that may. */
function routed(tab: number): Access {
  const tell = (site: SiteMessage['site'], origins: string[]) =>
    chrome.runtime.sendMessage<SiteMessage, boolean>({ site, tab, origins })
  return {
    use: (origins) => tell('use', origins),
    ask: async (origins) => {
      await tell('ask', origins)
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
