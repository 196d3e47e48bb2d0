import { useBus, useBusStatus, useEvent, usePresence, useProjection } from '@crosstown/bus/react'
import { useRef, useState } from 'react'

function Heard() {
  const [heard, setHeard] = useState<readonly number[]>([])
  useEvent('cart.added', ({ data }) => setHeard((list) => [...list, data]))
  return <p data-testid="heard">{heard.join()}</p>
}

function Total() {
  const total = useProjection(
    ['cart.added', 'cart.cleared'],
    (sum: number, event) => (event.type === 'cart.added' ? sum + event.data : 0),
    0,
  )
  return <p data-testid="total">{total}</p>
}

export function Cart() {
  const bus = useBus()
  const { log } = useBusStatus()
  const here = usePresence()
  const next = useRef(1)
  const [shown, setShown] = useState(true)
  return (
    <>
      <h1>Cart</h1>
      <button type="button" onClick={() => bus.publish('cart.added', next.current++)}>
        Add
      </button>
      <button type="button" onClick={() => bus.publish('cart.cleared')}>
        Clear
      </button>
      <button type="button" onClick={() => setShown(!shown)}>
        Show
      </button>
      {shown && <Heard />}
      {shown && <Total />}
      <p data-testid="status">{`${log.kind} ${log.state}`}</p>
      <p data-testid="here">{here.map(({ kind, origin }) => `${origin} ${kind}`).join()}</p>
    </>
  )
}
