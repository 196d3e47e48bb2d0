/**
 * Firefox only: a panel in its DevTools reaches no tab, hears no frame and asks for no site, so this
 * stands between. It joins what belongs together and keeps nothing: when Firefox suspends it all ports
 * close, and panels dial anew.
 */
import {
  type FromRouter,
  type Here,
  PANEL,
  PIPE,
  type ToRouter,
  type Wake,
} from '../sources/wire.ts'
import { coverAllowedSites, isAllowed, runIn, type SiteMessage } from './allowed.ts'

interface Panel {
  readonly tab: number
  readonly name: string
  readonly port: chrome.runtime.Port
  readonly pipes: Map<number, chrome.runtime.Port>
}

const panels = new Set<Panel>()
let numbers = 0

void coverAllowedSites()

chrome.runtime.onConnect.addListener((port) => {
  if (isOwnPage(port.sender) && port.name.startsWith(PANEL)) joinPanel(port)
})

chrome.runtime.onMessage.addListener((message: Here | SiteMessage, sender, answer) => {
  if ('site' in message) {
    if (!isOwnPage(sender)) return undefined
    about(message).then(answer)
    return true
  }
  for (const panel of panels) {
    if (panel.tab !== sender.tab?.id || (message.panel ?? panel.name) !== panel.name) continue
    answer(true)
    joinFrame(panel, sender)
  }
  return undefined
})

async function about({ site, tab, origins }: SiteMessage): Promise<boolean> {
  const allowed = await isAllowed(origins)
  if (site === 'use' && allowed) await runIn(tab)
  if (site === 'ask') {
    const query = new URLSearchParams(origins.map((origin) => ['site', origin]))
    await chrome.tabs.create({ url: `allow.html?tab=${tab}&${query}` })
  }
  return allowed
}

const isOwnPage = (sender: chrome.runtime.MessageSender | undefined): boolean =>
  sender?.url?.startsWith(chrome.runtime.getURL('')) === true

function joinPanel(port: chrome.runtime.Port): void {
  const [tab, name = ''] = port.name.slice(PANEL.length).split(':')
  const panel: Panel = { tab: Number(tab), name, port, pipes: new Map() }
  panels.add(panel)
  port.onDisconnect.addListener(() => {
    panels.delete(panel)
    for (const pipe of panel.pipes.values()) pipe.disconnect()
  })
  port.onMessage.addListener(async (message: ToRouter) => {
    if ('wake' in message) tell(panel, { woken: await wake(panel) })
    else post(panel.pipes.get(message.pipe), message.message)
  })
}

function joinFrame(panel: Panel, { frameId = 0, origin }: chrome.runtime.MessageSender): void {
  const pipe = ++numbers
  const port = chrome.tabs.connect(panel.tab, { name: PIPE + panel.name, frameId })
  panel.pipes.set(pipe, port)
  tell(panel, { pipe, opened: true, origin })
  port.onMessage.addListener((message: unknown) => tell(panel, { pipe, message }))
  port.onDisconnect.addListener(() => {
    panel.pipes.delete(pipe)
    tell(panel, { pipe, closed: true })
  })
}

const tell = ({ port }: Panel, message: FromRouter): void => post(port, message)

function post(port: chrome.runtime.Port | undefined, message: unknown): void {
  try {
    port?.postMessage(message)
  } catch {
    // It is going, and its end is on the way.
  }
}

/** Whether any frame heard it. */
function wake({ tab, name }: Panel): Promise<boolean> {
  const message: Wake = { crosstown: 'wake', panel: name }
  return chrome.tabs.sendMessage(tab, message).then(
    (woken) => woken === true,
    () => false,
  )
}
