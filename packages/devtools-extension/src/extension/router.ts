/**
 * Firefox only: pages cannot dial a panel in its DevTools, so both dial this. It joins what belongs
 * together and keeps nothing: when Firefox suspends it all ports close, and panels dial anew.
 */
import { type FromRouter, PANEL, PIPE, type ToRouter, type Wake } from '../sources/wire.ts'

interface Panel {
  readonly tab: number
  readonly name: string
  readonly port: chrome.runtime.Port
  readonly pipes: Map<number, chrome.runtime.Port>
}

const panels = new Map<string, Panel>()
let numbers = 0

chrome.runtime.onConnect.addListener((port) => {
  if (port.name.startsWith(PANEL) && isOwnPage(port.sender)) joinPanel(port)
  else if (port.name.startsWith(PIPE)) joinPipe(port)
})

chrome.runtime.onMessage.addListener((_, sender, answer) => {
  const tab = sender.tab?.id
  const inspecting = [...panels.values()].filter((panel) => panel.tab === tab)
  for (const panel of inspecting) void wake(panel, sender.frameId)
  if (inspecting.length > 0) answer(true)
})

function joinPanel(port: chrome.runtime.Port): void {
  const [tab, name = ''] = port.name.slice(PANEL.length).split(':')
  const panel: Panel = { tab: Number(tab), name, port, pipes: new Map() }
  panels.set(name, panel)
  port.onDisconnect.addListener(() => {
    if (panels.get(name) === panel) panels.delete(name)
    for (const pipe of panel.pipes.values()) pipe.disconnect()
  })
  port.onMessage.addListener(async (message: ToRouter) => {
    if ('wake' in message) tell(panel, { woken: await wake(panel) })
    else panel.pipes.get(message.pipe)?.postMessage(message.message)
  })
}

function joinPipe(port: chrome.runtime.Port): void {
  const panel = panels.get(port.name.slice(PIPE.length))
  if (!panel || port.sender?.tab?.id !== panel.tab) {
    port.disconnect()
    return
  }
  const pipe = ++numbers
  panel.pipes.set(pipe, port)
  tell(panel, { pipe, opened: true })
  port.onMessage.addListener((message: unknown) => tell(panel, { pipe, message }))
  port.onDisconnect.addListener(() => {
    panel.pipes.delete(pipe)
    tell(panel, { pipe, closed: true })
  })
}

function tell({ port }: Panel, message: FromRouter): void {
  try {
    port.postMessage(message)
  } catch {
    // It is going, and its end is on the way.
  }
}

/** Whether anybody heard it. */
async function wake({ tab, name }: Panel, frameId?: number): Promise<boolean> {
  const message: Wake = { crosstown: 'wake', panel: name }
  const frame = frameId === undefined ? {} : { frameId }
  return chrome.tabs.sendMessage(tab, message, frame).then(
    () => true,
    () => false,
  )
}

const isOwnPage = (sender: chrome.runtime.MessageSender | undefined): boolean =>
  sender?.url?.startsWith(chrome.runtime.getURL('')) === true
