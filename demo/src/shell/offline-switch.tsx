import { offline, setOffline } from '../offline.ts'
import { useStore } from '../store.ts'

/** Takes all tabs of this device off the relay. */
export function OfflineSwitch() {
  const off = useStore(offline)
  return (
    <button
      type="button"
      role="switch"
      aria-checked={off}
      className="switch"
      onClick={() => setOffline(!off)}
      data-testid="offline-switch"
    >
      <span className="switch-track" aria-hidden="true">
        <span className="switch-thumb" />
      </span>
      Work offline
    </button>
  )
}
