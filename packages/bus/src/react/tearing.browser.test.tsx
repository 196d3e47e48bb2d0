/** In every commit all components show one state, however events and renders interleave. */
import {
  Profiler,
  type ReactNode,
  StrictMode,
  startTransition,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from 'react'
import { createRoot } from 'react-dom/client'
import { afterEach, expect, it } from 'vitest'
import { type Bus, createBus, memoryLog, type Projection } from '../index.ts'
import { BusProvider, useBus, useProjection } from './index.ts'

type Shop = { 'cart.added': number }

const ending: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

const READERS = 40
const NAMES = Array.from({ length: READERS }, (_, index) => `reader ${index}`)
const ROUNDS = 12

const count = (state: number) => state + 1

/** Renders for so long that React puts a transition aside several times. */
function busy(): void {
  const until = performance.now() + 0.5
  while (performance.now() < until);
}

interface ReaderProps {
  readonly view: Projection<number>
  /** Another one of the same events: never ahead, never behind. */
  readonly twin: Projection<number>
}
type Reader = (props: ReaderProps) => ReactNode

function Shared() {
  busy()
  return <i>{useProjection<Shop, number, 'cart.added'>('cart.added', count, 0)}</i>
}

function Own({ view }: ReaderProps) {
  busy()
  return <i>{useProjection(view)}</i>
}

function Two({ view, twin }: ReaderProps) {
  const count = useProjection(view)
  busy()
  const other = useProjection(twin)
  return <i>{count === other ? count : `${count} beside ${other}`}</i>
}

/** What the hooks are there to prevent: the state is read when the component happens to render. */
function Torn({ view }: ReaderProps) {
  busy()
  const [, setState] = useState(0)
  useEffect(() => view.subscribe(setState), [view])
  return <i>{view.get()}</i>
}

const task = () =>
  new Promise<void>((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(0)
  })

interface ReadersProps extends ReaderProps {
  readonly of: Reader
  /** How many are there all the time. */
  readonly staying: number
}

/** Brings readers up in transitions, over and over, and publishes while they are rendered. */
function Readers({ of: Reader, view, twin, staying }: ReadersProps) {
  const bus = useBus<Shop>()
  const [shown, setShown] = useState(staying)
  const [done, setDone] = useState(false)
  const committed = useRef(shown)
  useLayoutEffect(() => {
    committed.current = shown
  })
  useEffect(() => {
    let going = true
    const until = async (readers: number) => {
      while (going && committed.current !== readers) await task()
    }
    const run = async () => {
      for (let round = 0; going && round < ROUNDS; round++) {
        setShown(staying)
        await until(staying)
        startTransition(() => setShown(READERS))
        for (let n = 0; n < 10; n++) {
          await task()
          await Promise.all([bus.publish('cart.added', n), bus.publish('cart.added', n)])
        }
        await until(READERS)
      }
      setDone(going)
    }
    void run()
    return () => {
      going = false
    }
  }, [bus, staying])
  const readers = NAMES.slice(0, shown).map((name) => <Reader key={name} view={view} twin={twin} />)
  return (
    <>
      {readers}
      {done && <output />}
    </>
  )
}

interface Seen {
  readonly commits: number
  /** Commits in which not all readers showed the same. */
  readonly torn: readonly string[]
  readonly states: ReadonlySet<string>
  readonly last: string
}

async function watch(readers: Reader, staying: number): Promise<Seen> {
  const bus: Bus<Shop> = createBus<Shop>({ name: 'tearing', log: memoryLog(), tabs: false })
  const view = bus.project('cart.added', count, 0)
  const twin = bus.project('cart.*', (state: number) => state + 1, 0)
  const box = document.body.appendChild(document.createElement('div'))
  const root = createRoot(box)
  ending.push(
    () => bus.close(),
    () => box.remove(),
    () => root.unmount(),
  )
  let commits = 0
  const torn: string[] = []
  const states = new Set<string>()
  const shown = () => [...new Set([...box.querySelectorAll('i')].map((i) => i.textContent))]
  const look = () => {
    const different = shown()
    commits++
    for (const state of different) states.add(state)
    if (different.length > 1 || different[0]?.includes('beside')) torn.push(different.join(' and '))
  }
  root.render(
    <StrictMode>
      <BusProvider bus={bus}>
        <Profiler id="readers" onRender={look}>
          <Readers of={readers} view={view} twin={twin} staying={staying} />
        </Profiler>
      </BusProvider>
    </StrictMode>,
  )
  await expect.poll(() => box.querySelector('output'), { timeout: 50_000 }).not.toBe(null)
  await bus.flush()
  await expect.poll(shown, { timeout: 50_000 }).toEqual([String(view.get())])
  return { commits, torn, states, last: shown().join() }
}

it.each<[string, Reader, number]>([
  ['a shared view', Shared, 0],
  ['a shared view, some of them all the time', Shared, 5],
  ['a view of their own', Own, 0],
  ['a view of their own, some of them all the time', Own, 5],
  ['two views', Two, 5],
])('components that read %s show one state in every commit', async (_, readers, staying) => {
  const { commits, torn, states, last } = await watch(readers, staying)
  expect(torn).toEqual([])
  expect(Number(last)).toBeGreaterThanOrEqual(ROUNDS * 20)
  // It was looked at while it changed.
  expect(commits).toBeGreaterThan(ROUNDS)
  expect(states.size).toBeGreaterThan(ROUNDS / 2)
})

it('would be caught: who reads a view when it renders shows several states', async () => {
  expect((await watch(Torn, 0)).torn.length).toBeGreaterThan(0)
})
