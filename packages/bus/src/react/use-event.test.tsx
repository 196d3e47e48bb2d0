// @vitest-environment happy-dom
import {
  act,
  Component,
  type ReactNode,
  StrictMode,
  Suspense,
  startTransition,
  use,
  useState,
} from 'react'
import { createRoot } from 'react-dom/client'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Bus, type BusEvent, type BusOptions, createBus } from '../index.ts'
import { BusProvider, useBus, useEvent } from './index.ts'

type Shop = { 'cart.added': number; 'cart.removed': number; 'order.created': string }

;(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true

const ending: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

let made = 0
function open(options: Partial<BusOptions> = {}): Bus<Shop> {
  const bus = createBus<Shop>({ name: `use-event-${++made}`, tabs: false, ...options })
  ending.push(() => bus.close())
  return bus
}

/** Mounts, in StrictMode; returns how to render anew, and how to unmount. */
async function mount(first: ReactNode) {
  const root = createRoot(document.createElement('div'))
  const render = (node: ReactNode, inTransition = false) =>
    act(async () => {
      const update = () => root.render(<StrictMode>{node}</StrictMode>)
      if (inTransition) startTransition(update)
      else update()
    })
  const unmount = () => act(async () => root.unmount())
  ending.push(unmount)
  await render(first)
  return { render, unmount }
}

/** What is thrown below, in render or in an effect. */
class Boundary extends Component<{ caught: (error: unknown) => void; children: ReactNode }> {
  override state = { failed: false }
  static getDerivedStateFromError = () => ({ failed: true })
  override componentDidCatch(error: unknown) {
    this.props.caught(error)
  }
  override render() {
    return this.state.failed ? null : this.props.children
  }
}

describe('useEvent', () => {
  it('hears each event once under StrictMode, and none after it was unmounted', async () => {
    const bus = open()
    const heard: unknown[] = []
    function Listener() {
      useEvent<Shop>('cart.*', (event) => heard.push(event.data))
      return null
    }
    const { unmount } = await mount(
      <BusProvider bus={bus}>
        <Listener />
      </BusProvider>,
    )
    await bus.publish('cart.added', 1)
    await bus.publish('order.created', 'not for it')
    await bus.publish('cart.removed', 2)
    expect(heard).toEqual([1, 2])
    await unmount()
    expect(bus.hasSubscribers('cart.added')).toBe(false)
    await bus.publish('cart.added', 3)
    expect(heard).toEqual([1, 2])
  })

  it('calls the handler and the `where` of the latest commit, and keeps its subscription', async () => {
    const bus = open()
    const subscribe = vi.spyOn(bus, 'subscribe')
    const heard: unknown[] = []
    function Listener({ name, above }: { name: string; above: number }) {
      useEvent<Shop>(['cart.added', 'cart.removed'], ({ data }) => heard.push([name, data]), {
        where: (event) => Number(event.data) > above,
      })
      return null
    }
    const listener = (name: string, above: number) => (
      <BusProvider bus={bus}>
        <Listener name={name} above={above} />
      </BusProvider>
    )
    const { render } = await mount(listener('first', 0))
    const atFirst = subscribe.mock.calls.length
    await bus.publish('cart.added', 1)
    await render(listener('second', 1))
    await render(listener('third', 1))
    await bus.publish('cart.added', 1)
    await bus.publish('cart.removed', 2)
    expect(heard).toEqual([
      ['first', 1],
      ['third', 2],
    ])
    expect(subscribe.mock.calls.length).toBe(atFirst)
  })

  it('does not call the handler of a render that came to nothing', async () => {
    const bus = open()
    const heard: string[] = []
    const never = new Promise<never>(() => {})
    function Listener({ name }: { name: string }) {
      useEvent<Shop>('cart.added', () => heard.push(name))
      if (name === 'waiting') use(never)
      return null
    }
    const listener = (name: string) => (
      <BusProvider bus={bus}>
        <Suspense>
          <Listener name={name} />
        </Suspense>
      </BusProvider>
    )
    const { render } = await mount(listener('shown'))
    await render(listener('waiting'), true)
    await bus.publish('cart.added', 1)
    expect(heard).toEqual(['shown'])
  })

  it('subscribes anew when a pattern or an option has another value', async () => {
    const bus = open()
    for (const n of [1, 2, 3]) await bus.publish('cart.added', n)
    const heard: unknown[] = []
    function Listener({ pattern, last }: { pattern: 'cart.added' | 'order.*'; last: number }) {
      useEvent<Shop>([pattern], ({ data }) => heard.push(data), { from: { last } })
      return null
    }
    const listener = (pattern: 'cart.added' | 'order.*', last: number) => (
      <BusProvider bus={bus}>
        <Listener pattern={pattern} last={last} />
      </BusProvider>
    )
    const { render } = await mount(listener('cart.added', 1))
    await expect.poll(() => heard).toEqual([3])
    await render(listener('cart.added', 1))
    await render(listener('cart.added', 2))
    await expect.poll(() => heard).toEqual([3, 2, 3])
    await render(listener('order.*', 2))
    expect(bus.hasSubscribers('cart.added')).toBe(false)
    await bus.publish('order.created', 'A')
    await expect.poll(() => heard).toEqual([3, 2, 3, 'A'])
  })

  it('reads the log once under StrictMode, then goes on live', async () => {
    const bus = open()
    for (const n of [1, 2]) await bus.publish('cart.added', n)
    const heard: unknown[] = []
    function Listener() {
      useEvent<Shop>('cart.added', ({ data }) => heard.push(data), { from: 'start' })
      return null
    }
    await mount(
      <BusProvider bus={bus}>
        <Listener />
      </BusProvider>,
    )
    await bus.publish('cart.added', 3)
    await expect.poll(() => heard).toEqual([1, 2, 3])
  })

  it('keeps its subscription, and what a policy knows, while the policy is the same object', async () => {
    const bus = open({ log: false })
    const policyOf = () => {
      const calls = { count: 0, self: {} }
      // What is no JSON value must not matter.
      calls.self = calls
      return {
        calls,
        execute: async <T,>(run: () => T | PromiseLike<T>) => {
          calls.count += 1
          return run()
        },
      }
    }
    function Listener({ policy }: { policy: ReturnType<typeof policyOf> }) {
      useEvent<Shop>('cart.added', () => {}, { policy, retry: { attempts: 2 } })
      return null
    }
    const listener = (policy: ReturnType<typeof policyOf>) => (
      <BusProvider bus={bus}>
        <Listener policy={policy} />
      </BusProvider>
    )
    const [one, two] = [policyOf(), policyOf()]
    const { render } = await mount(listener(one))
    const [first] = bus.stats().subscriptions
    await render(listener(one))
    expect(bus.stats().subscriptions[0]?.id).toBe(first?.id)
    await bus.publish('cart.added', 1, { until: 'handled' })
    await render(listener(two))
    await bus.publish('cart.added', 2, { until: 'handled' })
    expect([one.calls.count, two.calls.count]).toEqual([1, 1])
  })

  it('a backoff that is another function at the next render is the one that is asked', async () => {
    const bus = open({ log: false })
    const asked: string[] = []
    function Listener({ name }: { name: string }) {
      const backoff = (): number => {
        asked.push(name)
        return 0
      }
      const fails = (): never => {
        throw new Error('again')
      }
      useEvent<Shop>('cart.added', fails, { retry: { attempts: 2, backoff } })
      return null
    }
    const listener = (name: string) => (
      <BusProvider bus={bus}>
        <Listener name={name} />
      </BusProvider>
    )
    const { render } = await mount(listener('one'))
    const [first] = bus.stats().subscriptions
    await render(listener('two'))
    expect(bus.stats().subscriptions[0]?.id).toBe(first?.id)
    await bus.publish('cart.added', 1, { until: 'handled' }).catch(() => {})
    expect(asked).toEqual(['two'])
  })

  it('ends with its signal', async () => {
    const bus = open()
    const ended = new AbortController()
    function Listener() {
      useEvent<Shop>('cart.added', () => {}, { signal: ended.signal })
      return null
    }
    await mount(
      <BusProvider bus={bus}>
        <Listener />
      </BusProvider>,
    )
    expect(bus.hasSubscribers('cart.added')).toBe(true)
    ended.abort()
    expect(bus.hasSubscribers('cart.added')).toBe(false)
  })

  it('hands on what the handler returns, so that `handled` waits for it', async () => {
    const bus = open()
    let settled = false
    function Listener() {
      useEvent<Shop>('cart.added', async () => {
        await bus.flush()
        settled = true
      })
      return null
    }
    await mount(
      <BusProvider bus={bus}>
        <Listener />
      </BusProvider>,
    )
    await bus.publish('cart.added', 1, { until: 'handled' })
    expect(settled).toBe(true)
  })

  it('moves to the bus of another provider', async () => {
    const [one, other] = [open(), open()]
    const heard: BusEvent['data'][] = []
    function Listener() {
      useEvent<Shop>('cart.added', ({ data }) => heard.push(data))
      return null
    }
    const listener = (bus: Bus<Shop>) => (
      <BusProvider bus={bus}>
        <Listener />
      </BusProvider>
    )
    const { render } = await mount(listener(one))
    await render(listener(other))
    expect(one.hasSubscribers('cart.added')).toBe(false)
    await other.publish('cart.added', 7)
    expect(heard).toEqual([7])
  })

  it('gives what is wrong with a pattern to the error boundary', async () => {
    const bus = open()
    vi.spyOn(console, 'error').mockImplementation(() => {})
    ending.push(() => vi.restoreAllMocks())
    function Listener() {
      useEvent('not a pattern', () => {})
      return null
    }
    const caught = vi.fn()
    await mount(
      <Boundary caught={caught}>
        <BusProvider bus={bus}>
          <Listener />
        </BusProvider>
      </Boundary>,
    )
    expect(caught.mock.calls[0]?.[0]).toMatchObject({ code: 'invalid_pattern' })
  })
})

describe('useBus', () => {
  it('says what is missing where there is no provider', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    ending.push(() => vi.restoreAllMocks())
    function Button() {
      useBus()
      return null
    }
    const caught = vi.fn()
    await mount(
      <Boundary caught={caught}>
        <Button />
      </Boundary>,
    )
    expect(caught.mock.calls[0]?.[0]).toMatchObject({
      code: 'invalid_options',
      message: expect.stringContaining('<BusProvider bus={bus}>'),
    })
  })

  it('gives the bus of the nearest provider, which is neither used nor closed by it', async () => {
    const opened = vi.fn(() => undefined)
    const [outer, inner] = [open(), open({ tabs: { open: opened } })]
    let seen: unknown
    function Button() {
      const [bus] = [useBus<Shop>()]
      seen = bus
      return useState(0)[0]
    }
    const { unmount } = await mount(
      <BusProvider bus={outer}>
        <BusProvider bus={inner}>
          <Button />
        </BusProvider>
      </BusProvider>,
    )
    expect(seen).toBe(inner)
    await unmount()
    expect(opened).not.toHaveBeenCalled()
    expect((await inner.publish('cart.added', 1)).data).toBe(1)
    expect(opened).toHaveBeenCalled()
  })
})
