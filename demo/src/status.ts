import type { StatusSnapshot } from '@crosstown/bus'
import { bus } from './bus.ts'
import { useStore } from './store.ts'

export const useBusStatus = (): StatusSnapshot => useStore(bus.status)
