// @vitest-environment happy-dom
import { act, StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { afterEach, expect, it, vi } from 'vitest'
import { createBus, type Observable } from '../index.ts'
import { BusProvider, useBusStatus, usePresence } from './index.ts'

;(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true

const ending: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

/** How many subscriptions there are, from now on. */
function counted(source: Observable<unknown>): () => number {
  let open = 0
  const subscribe = source.subscribe.bind(source)
  vi.spyOn(source, 'subscribe').mockImplementation((callback) => {
    const off = subscribe(callback)
    open++
    const end = () => {
      open--
      off()
    }
    return Object.assign(end, { [Symbol.dispose]: end })
  })
  return () => open
}

it('status and presence are shown as they change, by one subscription each, and left alone at last', async () => {
  const bus = createBus({ name: 'observed', source: 'here', tabs: false })
  ending.push(() => bus.close())
  const [ofStatus, ofPresence] = [counted(bus.status), counted(bus.presence)]
  let renders = 0
  function Bar({ label }: { label: string }) {
    renders++
    const { log } = useBusStatus()
    const here = usePresence()
    return `${label} ${log.state} ${here.map(({ source }) => source)}`
  }
  const box = document.createElement('div')
  const root = createRoot(box)
  const render = (label: string) =>
    act(async () =>
      root.render(
        <StrictMode>
          <BusProvider bus={bus}>
            <Bar label={label} />
          </BusProvider>
        </StrictMode>,
      ),
    )
  await render('a')
  await expect.poll(() => box.textContent).toBe('a open here')
  await render('b')
  expect(box.textContent).toBe('b open here')
  expect([ofStatus(), ofPresence()]).toEqual([1, 1])
  await act(async () => bus.flush())
  const settled = renders
  await act(async () => bus.flush())
  expect(renders).toBe(settled)
  await act(async () => root.unmount())
  expect([ofStatus(), ofPresence()]).toEqual([0, 0])
})
