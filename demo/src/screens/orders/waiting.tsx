import { useBusStatus, usePresence } from '@crosstown/bus/react'
import { useEffect, useState } from 'react'
import { room } from '../../bus.ts'
import { type Order, type Service, waitsFor } from '../../orders.ts'
import { DEFAULT_ROOM } from '../../room.ts'

const NAMES: Readonly<Record<Service, string>> = {
  'orders-service': 'orders service, on Node',
  'warehouse-service': 'warehouse, on Deno',
}

/** Whom an order waits for, and why that may take longer. */
export function Waiting({ order }: { order: Order }) {
  const { relay, outbox } = useBusStatus()
  const here = usePresence()
  const late = useLate(order.steps.at(-1)?.time ?? 0)
  const service = waitsFor(order)
  if (!service) return null
  const name = NAMES[service]
  if (relay !== 'online' && outbox.pending > 0) {
    return (
      <p className="waiting" role="status" data-testid="order-waits" data-for="relay">
        It waits on this device, and is sent as soon as the relay can be reached.
      </p>
    )
  }
  const away = late && !here.some(({ source }) => source === service)
  return (
    <p
      className="waiting"
      role="status"
      data-testid="order-waits"
      data-for={service}
      data-late={late || undefined}
      data-away={away || undefined}
    >
      {away
        ? `The ${name}, is not here. ${room === DEFAULT_ROOM ? 'It answers when it is back.' : `By default the services are in the room ${DEFAULT_ROOM} only.`}`
        : `It ${late ? 'still waits for' : 'is with'} the ${name}.`}
    </p>
  )
}

const LATE_MS = 3_000

/** Whether that long has gone by since. */
function useLate(since: number): boolean {
  const [lateFor, setLateFor] = useState<number>()
  useEffect(() => {
    const left = Math.max(0, since + LATE_MS - Date.now())
    const timer = setTimeout(() => setLateFor(since), left)
    return () => clearTimeout(timer)
  }, [since])
  return lateFor === since
}
