/**
 * Firefox only: a panel in its DevTools reaches no tab and hears no frame, so this stands between. It
 * joins what belongs together and keeps nothing: when Firefox suspends it all ports close, and panels
 * dial anew.
 */
import {
  type FromRouter,
  type Here,
  PANEL,
  PIPE,
  type ToRouter,
  type Wake,
} from '../sources/wire.ts'

interface Panel {
  readonly tab: number
  readonly name: string
  readonly port: chrome.runtime.Port
  readonly pipes: Map<number, chrome.runtime.Port>
}

const panels = new Set<Panel>()
let numbers = 0

chrome.runtime.onConnect.addListener((port) => {
  const ours = port.sender?.url?.startsWith(chrome.runtime.getURL(''))
  if (ours && port.name.startsWith(PANEL)) joinPanel(port)
})

chrome.runtime.onMessage.addListener((message: Here, sender, answer) => {
  if (message?.crosstown !== 'here') return
  for (const panel of panels) {
    if (panel.tab !== sender.tab?.id || (message.panel ?? panel.name) !== panel.name) continue
    answer(true)
    joinFrame(panel, sender.frameId ?? 0)
  }
})

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

function joinFrame(panel: Panel, frameId: number): void {
  const pipe = ++numbers
  const port = chrome.tabs.connect(panel.tab, { name: PIPE + panel.name, frameId })
  panel.pipes.set(pipe, port)
  tell(panel, { pipe, opened: true })
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
