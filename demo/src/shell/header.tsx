import { useProjection } from '@crosstown/bus/react'
import { countOf } from '../cart.ts'
import { BasketIcon, BellIcon, Mark } from '../icons.tsx'
import { hrefOf, route } from '../route.ts'
import { useStore } from '../store.ts'
import { cart } from '../views.ts'
import { workerPeer } from '../worker-peer.ts'
import { Share } from './share.tsx'
import { ThemeSwitch } from './theme-switch.tsx'

const SCREENS = [
  { screen: 'shop', name: 'Shop', href: hrefOf() },
  { screen: 'orders', name: 'Orders', href: hrefOf('orders') },
  { screen: 'activity', name: 'Activity', href: hrefOf('activity') },
] as const

export function Header() {
  const { screen } = useStore(route)
  return (
    <header className="top">
      <a className="brand" href={hrefOf()}>
        <Mark />
        <span>Corner shop</span>
      </a>
      <nav aria-label="Screens" className="screens">
        {SCREENS.map(({ screen: name, name: text, href }) => (
          <a
            key={name}
            href={href}
            aria-current={name === screen ? 'page' : undefined}
            data-testid={`nav-${name}`}
          >
            {text}
          </a>
        ))}
      </nav>
      <div className="tools">
        <Share />
        <ThemeSwitch />
        <Bell />
        <CartLink />
      </div>
    </header>
  )
}

/** What the service worker has counted and nobody has looked at. */
function Bell() {
  const { counted } = useStore(workerPeer)
  const unread = counted?.unread ?? 0
  return (
    <a
      className="tool"
      href={hrefOf('orders')}
      aria-label={unread === 0 ? 'No news of orders' : `${unread} news of orders`}
      data-testid="bell"
      data-count={unread}
    >
      <BellIcon />
      {unread > 0 && <span className="badge">{unread > 99 ? '99+' : unread}</span>}
    </a>
  )
}

function CartLink() {
  const count = countOf(useProjection(cart))
  return (
    <a
      className="tool cart-link"
      href={hrefOf('shop', 'cart')}
      aria-label={`Cart, ${count === 1 ? '1 item' : `${count} items`}`}
      data-testid="cart-count"
      data-count={count}
    >
      <BasketIcon />
      {count > 0 && <span className="badge">{count > 99 ? '99+' : count}</span>}
    </a>
  )
}
