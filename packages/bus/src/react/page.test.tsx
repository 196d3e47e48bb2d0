// @vitest-environment happy-dom
/** Pages as a whole: taken over from a server, and with buses that components own. */
import { act, type ReactNode, StrictMode, useEffect, useState } from 'react'
import { createRoot, hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Bus, createBus } from '../index.ts'
import { BusProvider, useBusStatus, usePresence, useProjection } from './index.ts'

type Shop = { 'cart.added': number }

;(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true

const ending: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

let made = 0
function open(): Bus<Shop> {
  const bus = createBus<Shop>({ name: `page-${++made}`, tabs: false })
  ending.push(() => bus.close())
  return bus
}

const sum = (state: number, { data }: { data: number }) => state + data

function Total() {
  return <b>{useProjection<Shop, number, 'cart.added'>('cart.added', sum, 0)}</b>
}

describe('a page that takes over what a server has rendered', () => {
  it('begins with the same, whatever is in its log, and then shows what is true', async () => {
    function App() {
      const { log } = useBusStatus()
      return (
        <p>
          <Total /> {log.kind} {usePresence().length}
        </p>
      )
    }
    const app = (bus: Bus<Shop>) => (
      <StrictMode>
        <BusProvider bus={bus}>
          <App />
        </BusProvider>
      </StrictMode>
    )
    const box = document.createElement('div')
    box.innerHTML = renderToString(app(open()))
    expect(box.textContent).toBe('0 none 0')
    const bus = open()
    await bus.publish('cart.added', 3)
    const mismatched = vi.fn()
    const root = await act(async () =>
      hydrateRoot(box, app(bus), { onRecoverableError: mismatched }),
    )
    await expect.poll(() => box.textContent).toBe('3 memory 1')
    expect(mismatched).not.toHaveBeenCalled()
    await act(async () => root.unmount())
  })
})

describe('a bus that a component owns', () => {
  it('is open while it is shown, also under StrictMode, and closed afterwards', async () => {
    const buses: Bus<Shop>[] = []
    // As docs/react.md shows it.
    function Room({ room, children }: { room: string; children: ReactNode }) {
      const [bus, setBus] = useState<Bus<Shop>>()
      useEffect(() => {
        const own = createBus<Shop>({ name: `owned-${room}`, tabs: false })
        buses.push(own)
        setBus(own)
        return () => {
          setBus(undefined)
          void own.close()
        }
      }, [room])
      return bus && <BusProvider bus={bus}>{children}</BusProvider>
    }
    const room = (name: string) => (
      <Room room={name}>
        <Total />
      </Room>
    )
    const box = document.createElement('div')
    const root = createRoot(box)
    const render = (node: ReactNode) =>
      act(async () => root.render(<StrictMode>{node}</StrictMode>))
    const add = (n: number) => act(async () => buses.at(-1)!.publish('cart.added', n))
    await render(room('a'))
    await add(1)
    await expect.poll(() => box.textContent).toBe('1')
    await render(room('b'))
    await add(2)
    await expect.poll(() => box.textContent).toBe('2')
    await render(null)
    for (const bus of buses) await expect(bus.publish('cart.added', 1)).rejects.toThrow('closed')
  })
})
