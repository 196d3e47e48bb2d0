import { useEffect, useRef } from 'react'
import { route, type Screen } from './route.ts'
import { ActivityScreen } from './screens/activity/activity-screen.tsx'
import { OrdersScreen } from './screens/orders/orders-screen.tsx'
import { ShopScreen } from './screens/shop/shop-screen.tsx'
import { Announcer } from './shell/announcer.tsx'
import { Header } from './shell/header.tsx'
import { Notices } from './shell/notices.tsx'
import { StatusBar } from './shell/status-bar.tsx'
import { useStore } from './store.ts'

const SCREENS = { shop: ShopScreen, orders: OrdersScreen, activity: ActivityScreen } as const

const TITLES: Readonly<Record<Screen, string>> = {
  shop: 'Corner shop',
  orders: 'Orders · Corner shop',
  activity: 'Activity · Corner shop',
}

export function App() {
  const { screen } = useStore(route)
  const main = useRef<HTMLElement>(null)
  const shown = useRef(screen)
  const Shown = SCREENS[screen]

  useEffect(() => {
    document.title = TITLES[screen]
    if (shown.current === screen) return
    shown.current = screen
    // A new screen begins at its top, also for who hears it or goes through it by keyboard.
    main.current?.focus({ preventScroll: true })
    scrollTo(0, 0)
  }, [screen])

  return (
    <>
      <button type="button" className="skip-link" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <Header />
      <main id="main" ref={main} tabIndex={-1} className="main">
        <Shown />
      </main>
      <Announcer />
      <Notices />
      <StatusBar />
    </>
  )
}
