import { useEffect, useRef } from 'react'
import { room } from '../../bus.ts'
import { PRODUCTS } from '../../products.ts'
import { roomLink } from '../../room.ts'
import { route } from '../../route.ts'
import { useStore } from '../../store.ts'
import { CartPanel } from './cart-panel.tsx'
import { ProductCard } from './product-card.tsx'

/** What can be bought, and the cart. */
export function ShopScreen() {
  const toCart = useStore(route).rest[0] === 'cart'
  const cart = useRef<HTMLElement>(null)

  useEffect(() => {
    if (!toCart) return
    cart.current?.scrollIntoView()
    cart.current?.focus({ preventScroll: true })
  }, [toCart])

  return (
    <>
      <section className="hero" aria-labelledby="hero-title">
        <h1 id="hero-title">Good things from around the corner</h1>
        <p>
          One cart for everyone in the room. Open{' '}
          <a href={roomLink(location.href, room)} target="_blank" rel="noreferrer">
            a second tab
          </a>
          , share the link with your phone, go offline and shop on: it all comes together again.
        </p>
      </section>
      <div className="shop">
        <section aria-labelledby="shelf-title">
          <h2 id="shelf-title" className="visually-hidden">
            On the shelf
          </h2>
          <ul className="products">
            {PRODUCTS.map((product) => (
              <ProductCard key={product.sku} product={product} />
            ))}
          </ul>
        </section>
        <CartPanel ref={cart} />
      </div>
    </>
  )
}
