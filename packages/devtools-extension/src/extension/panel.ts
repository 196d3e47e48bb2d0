/**
 * The panel in DevTools. As a tab (`panel.html?tabId=7`) it inspects the tab of that number, which is
 * how tests look at it.
 */
import { browserEnv } from '../panel/browser.ts'
import { mount } from '../panel/main.tsx'
import { directDoors, routedDoors } from '../sources/doors.ts'
import { extensionSource } from '../sources/extension.ts'
import { fileSource } from '../sources/file.ts'
import { relaySource } from '../sources/relay.ts'
import { siteOf } from './site.ts'
import { devtoolsTheme } from './theme.ts'

const tab =
  chrome.devtools?.inspectedWindow.tabId ??
  Number(new URLSearchParams(location.search).get('tabId'))
const site = siteOf(tab)
const theme = devtoolsTheme()

// Only Firefox has a router.
const doors = chrome.runtime.getManifest().background ? routedDoors : directDoors

mount(document.querySelector('#panel') as Element, {
  sources: [extensionSource({ doors: doors(tab, crypto.randomUUID()), tab: site })],
  env: {
    ...browserEnv(),
    ...(theme === undefined ? {} : { theme }),
    enableSite: site.enable,
    openRelay: relaySource,
    openFile: fileSource,
  },
})
