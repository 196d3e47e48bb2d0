import { useProjection } from '@crosstown/bus/react'
import type { Ref } from 'react'
import { pictureOf } from '../../art/pictures.ts'
import { countOf, totalOf } from '../../cart.ts'
import type { CartLine } from '../../events.ts'
import { BasketIcon, MinusIcon, PlusIcon } from '../../icons.tsx'
import { money } from '../../products.ts'
import { addToCart, clearCart, removeFromCart } from '../../shop.ts'
import { useStore } from '../../store.ts'
import { cart, loaded } from '../../views.ts'
import { Empty } from '../empty.tsx'
import { Checkout } from './checkout.tsx'

/** The cart that all tabs and devices of the room share. */
export function CartPanel({ ref }: { ref: Ref<HTMLElement> }) {
  const lines = useProjection(cart)
  const opening = !useStore(loaded)
  const count = countOf(lines)
  return (
    <section
      ref={ref}
      tabIndex={-1}
      className="panel cart"
      aria-labelledby="cart-title"
      aria-busy={opening}
    >
      <header className="panel-head">
        <h2 id="cart-title">Your cart</h2>
        {count > 0 && (
          <button type="button" className="link" onClick={clearCart} data-testid="cart-clear">
            Empty the cart
          </button>
        )}
      </header>
      {count === 0 ? (
        <Empty
          id="cart-empty"
          icon={<BasketIcon size={36} />}
          title={opening ? 'Opening your cart' : 'Nothing in here yet'}
        >
          {opening
            ? 'It is read from the log of this device.'
            : 'Add something, in this tab or on another device.'}
        </Empty>
      ) : (
        <>
          <ul className="cart-lines">
            {lines.map((line) => (
              <Line key={line.sku} line={line} />
            ))}
          </ul>
          <p className="cart-total">
            <span>Total</span>
            <strong data-testid="cart-total">{money(totalOf(lines))}</strong>
          </p>
          <Checkout lines={lines} />
        </>
      )}
    </section>
  )
}

function Line({ line }: { line: CartLine }) {
  const { sku, name, price, quantity } = line
  return (
    <li className="cart-line" data-testid="cart-line" data-sku={sku} data-quantity={quantity}>
      <span className="cart-picture" data-sku={sku}>
        <img className="cart-thumb" src={pictureOf(sku)} alt="" width="48" height="48" />
      </span>
      <span className="cart-name">
        {name}
        <small>{money(price * quantity)}</small>
      </span>
      <span className="stepper">
        <button
          type="button"
          className="step"
          onClick={() => removeFromCart(sku)}
          aria-label={`One ${name} less`}
          data-testid={`less-${sku}`}
        >
          <MinusIcon />
        </button>
        <span className="quantity">{quantity}</span>
        <button
          type="button"
          className="step"
          onClick={() => addToCart(line)}
          aria-label={`One ${name} more`}
          data-testid={`more-${sku}`}
        >
          <PlusIcon />
        </button>
      </span>
    </li>
  )
}
