import { useEffect, useState } from 'react'
import { bus, room } from '../../bus.ts'
import { type Order, type Service, waitsFor } from '../../orders.ts'
import { DEFAULT_ROOM } from '../../room.ts'
import { useStore } from '../../store.ts'

const NAMES: Readonly<Record<Service, string>> = {
  'orders-service': 'the orders service, on Node',
  'warehouse-service': 'the warehouse, on Deno',
}

/** Whom an order waits for, and why that may take longer. */
export function Waiting({ order }: { order: Order }) {
  const { relay, outbox } = useStore(bus.status)
  const late = useLate(order.steps.at(-1)?.time ?? 0)
  const service = waitsFor(order)
  if (!service) return null
  if (relay !== 'online' && outbox.pending > 0) {
    return (
      <p className="waiting" data-testid="order-waits" data-for="relay">
        It waits on this device, and is sent as soon as the relay can be reached.
      </p>
    )
  }
  if (!late) {
    return (
      <p className="waiting" data-testid="order-waits" data-for={service}>
        It is with {NAMES[service]}.
      </p>
    )
  }
  return (
    <p
      className="waiting"
      data-late="true"
      data-testid="order-waits"
      data-for={service}
      role="status"
    >
      {room === DEFAULT_ROOM
        ? `It still waits for ${NAMES[service]}, which may be away. It answers when it is back.`
        : `It still waits for ${NAMES[service]}. By default the services are in the room ${DEFAULT_ROOM} only.`}
    </p>
  )
}

const LATE_MS = 4_000

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
