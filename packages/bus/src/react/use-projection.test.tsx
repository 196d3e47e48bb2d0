// @vitest-environment happy-dom
import { Activity, act, type ReactNode, StrictMode, Suspense, use, useEffect } from 'react'
import { createRoot } from 'react-dom/client'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Bus, createBus } from '../index.ts'
import { BusProvider, useProjection } from './index.ts'

type Shop = { 'cart.added': number; 'cart.removed': number; 'order.created': string }

;(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true

const ending: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

let made = 0
function open(): Bus<Shop> {
  const bus = createBus<Shop>({ name: `use-projection-${++made}`, tabs: false })
  ending.push(() => bus.close())
  return bus
}

/** Publishes, and lets React render what comes of it. */
const add = (bus: Bus<Shop>, ...numbers: number[]) =>
  act(async () => {
    for (const n of numbers) await bus.publish('cart.added', n)
  })

async function mount(bus: Bus<Shop>, first: ReactNode) {
  const box = document.createElement('div')
  const root = createRoot(box)
  const render = (node: ReactNode) =>
    act(async () =>
      root.render(
        <StrictMode>
          <BusProvider bus={bus}>{node}</BusProvider>
        </StrictMode>,
      ),
    )
  const unmount = () => act(async () => root.unmount())
  ending.push(unmount)
  await render(first)
  return { box, render, unmount }
}

const sum = (state: number, { data }: { data: number }) => state + data

function Total() {
  return <b>{useProjection<Shop, number, 'cart.added'>('cart.added', sum, 0)}</b>
}

describe('useProjection', () => {
  it('shows the initial state, then what the log has, then each change', async () => {
    const bus = open()
    await bus.publish('cart.added', 1)
    const shown: number[] = []
    function Shown() {
      const total = useProjection<Shop, number, 'cart.added'>('cart.added', sum, 0)
      useEffect(() => {
        shown.push(total)
      }, [total])
      return total
    }
    const { box } = await mount(bus, <Shown />)
    await expect.poll(() => box.textContent).toBe('1')
    await add(bus, 2, 3)
    await expect.poll(() => box.textContent).toBe('6')
    expect(shown[0]).toBe(0)
  })

  it('folds once for all components that ask for the same', async () => {
    const bus = open()
    const project = vi.spyOn(bus, 'project')
    const { box } = await mount(
      bus,
      <>
        <Total />
        <Total />
        <Total />
      </>,
    )
    await add(bus, 4)
    await expect.poll(() => box.textContent).toBe('444')
    expect(project).toHaveBeenCalledTimes(1)
  })

  it('folds apart what differs in pattern, reducer or initial state', async () => {
    const bus = open()
    const project = vi.spyOn(bus, 'project')
    const product = (state: number, { data }: { data: number }) => state * data
    function Totals() {
      return [
        useProjection<Shop, number, 'cart.added'>('cart.added', sum, 0),
        useProjection<Shop, number, 'cart.*'>('cart.*', sum, 0),
        useProjection<Shop, number, 'cart.added'>('cart.added', product, 1),
        useProjection<Shop, number, 'cart.added'>('cart.added', sum, 10),
      ].join(' ')
    }
    const { box } = await mount(bus, <Totals />)
    await add(bus, 2, 3)
    await act(() => bus.publish('cart.removed', 100))
    await expect.poll(() => box.textContent).toBe('5 105 6 15')
    expect(project).toHaveBeenCalledTimes(4)
  })

  it('does not fold anew for a reducer, patterns and options that are written in place', async () => {
    const bus = open()
    const project = vi.spyOn(bus, 'project')
    let renders = 0
    function List({ label }: { label: string }) {
      renders++
      const list = useProjection<Shop, readonly number[], 'cart.added'>(
        ['cart.added'],
        (state, { data }) => [...state, data],
        [],
        { version: 1 },
      )
      return `${label} ${list.join()}`
    }
    const { box, render } = await mount(bus, <List label="a" />)
    await add(bus, 1, 2)
    await render(<List label="b" />)
    await add(bus, 3)
    await expect.poll(() => box.textContent).toBe('b 1,2,3')
    expect(renders).toBeGreaterThan(4)
    expect(project).toHaveBeenCalledTimes(1)
  })

  it('shares what has one key and version, wherever its reducer is written', async () => {
    const bus = open()
    const project = vi.spyOn(bus, 'project')
    function Keyed({ version }: { version: number }) {
      return useProjection<Shop, number, 'cart.added'>('cart.added', (n, { data }) => n + data, 0, {
        key: 'total',
        version,
      })
    }
    const { box, render } = await mount(bus, [
      <Keyed key="a" version={1} />,
      <Keyed key="b" version={1} />,
    ])
    await add(bus, 2)
    await expect.poll(() => box.textContent).toBe('22')
    expect(project).toHaveBeenCalledTimes(1)
    await render([<Keyed key="a" version={2} />, <Keyed key="b" version={2} />])
    await expect.poll(() => box.textContent).toBe('22')
    expect(project).toHaveBeenCalledTimes(2)
    expect(project.mock.calls[1]?.[3]).toEqual({ key: 'total', version: 2 })
  })

  it('begins another view with another pattern', async () => {
    const bus = open()
    await bus.publish('cart.added', 1)
    await bus.publish('cart.removed', 20)
    function Either({ type }: { type: 'cart.added' | 'cart.removed' }) {
      return useProjection<Shop, number, 'cart.added' | 'cart.removed'>(type, sum, 0)
    }
    const { box, render } = await mount(bus, <Either type="cart.added" />)
    await expect.poll(() => box.textContent).toBe('1')
    await render(<Either type="cart.removed" />)
    await expect.poll(() => box.textContent).toBe('20')
  })

  it('closes the view some time after its last component has gone, not before', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    ending.push(() => vi.useRealTimers())
    const bus = open()
    const project = vi.spyOn(bus, 'project')
    const { box, render } = await mount(bus, <Total />)
    const close = vi.spyOn(project.mock.results[0]?.value, 'close')
    await add(bus, 1)
    await render(null)
    await add(bus, 1)
    await vi.advanceTimersByTimeAsync(4_000)
    await render(<Total />)
    expect(box.textContent).toBe('2')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(close).not.toHaveBeenCalled()
    await render(null)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(close).toHaveBeenCalledTimes(1)
    await render(<Total />)
    expect(project).toHaveBeenCalledTimes(2)
  })

  it('opens nothing for a render that comes to nothing', async () => {
    const bus = open()
    const project = vi.spyOn(bus, 'project')
    const never = new Promise<never>(() => {})
    function Waits() {
      const total = useProjection<Shop, number, 'cart.added'>('cart.added', sum, 0)
      use(never)
      return total
    }
    const { box } = await mount(
      bus,
      <Suspense fallback="waiting">
        <Waits />
      </Suspense>,
    )
    expect(box.textContent).toBe('waiting')
    expect(project).not.toHaveBeenCalled()
  })

  it('stands still in a hidden Activity, and is up to date when it is shown again', async () => {
    const bus = open()
    const project = vi.spyOn(bus, 'project')
    const hidden = (mode: 'hidden' | 'visible') => (
      <Activity mode={mode}>
        <Total />
      </Activity>
    )
    const { box, render } = await mount(bus, hidden('visible'))
    await add(bus, 1)
    await render(hidden('hidden'))
    await add(bus, 2)
    await render(hidden('visible'))
    await expect.poll(() => box.textContent).toBe('3')
    expect(project).toHaveBeenCalledTimes(1)
  })

  it('shows a view of yours, without a provider, and does not close it', async () => {
    const bus = open()
    const view = bus.project('cart.added', sum, 0)
    const close = vi.spyOn(view, 'close')
    const Shown = () => useProjection(view)
    const box = document.createElement('div')
    const root = createRoot(box)
    await act(async () => root.render(<Shown />))
    await add(bus, 5)
    await expect.poll(() => box.textContent).toBe('5')
    await act(async () => root.unmount())
    expect(close).not.toHaveBeenCalled()
  })
})

describe('a view that is not ready', () => {
  it('can be waited for with Suspense, as docs/react.md shows it', async () => {
    const bus = open()
    await bus.publish('cart.added', 3)
    const view = bus.project('cart.added', sum, 0)
    const shown: number[] = []
    function Ready() {
      use(view.ready)
      const total = useProjection(view)
      useEffect(() => {
        shown.push(total)
      }, [total])
      return total
    }
    const { box } = await mount(
      bus,
      <Suspense fallback="reading">
        <Ready />
      </Suspense>,
    )
    await expect.poll(() => box.textContent).toBe('3')
    expect(new Set(shown)).toEqual(new Set([3]))
  })

  it('gives what is wrong with it to the error boundary', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    ending.push(() => vi.restoreAllMocks())
    const bus = createBus<Shop>({ name: 'no-log', log: false, tabs: false })
    ending.push(() => bus.close())
    const root = createRoot(document.createElement('div'))
    const rendered = act(async () =>
      root.render(
        <BusProvider bus={bus}>
          <Total />
        </BusProvider>,
      ),
    )
    await expect(rendered).rejects.toMatchObject({ code: 'unreachable' })
  })
})
