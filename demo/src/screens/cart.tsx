import type { CartLine } from '../bus.ts'
import { countOf, totalOf } from '../cart.ts'
import { BasketIcon } from '../icons.tsx'
import { money } from '../products.ts'
import { addToCart, cart, checkOut, clearCart, removeFromCart } from '../shop.ts'
import { useStore } from '../store.ts'
import { Empty, Panel } from './panel.tsx'

/** The cart that all tabs and devices of the room share. */
export function CartScreen() {
  const lines = useStore(cart)
  const count = countOf(lines)
  const empty = lines.length === 0
  return (
    <Panel
      id="cart"
      title="Cart"
      aside={
        <span className="count" data-testid="cart-count" data-count={count}>
          {count === 1 ? '1 item' : `${count} items`}
        </span>
      }
    >
      <div className="cart-body">
        {empty ? (
          <Empty id="cart-empty" icon={<BasketIcon />}>
            Nothing in here yet. Add something, in this tab or on another device.
          </Empty>
        ) : (
          <ul className="cart-lines">
            {lines.map((line) => (
              <Line key={line.sku} {...line} />
            ))}
          </ul>
        )}
      </div>
      <div className="cart-total">
        <span>Total</span>
        <strong data-testid="cart-total">{money(totalOf(lines))}</strong>
      </div>
      <div className="actions">
        <button
          type="button"
          className="button primary"
          disabled={empty}
          onClick={() => checkOut(lines)}
          data-testid="checkout"
        >
          Check out
        </button>
        <button
          type="button"
          className="button quiet"
          disabled={empty}
          onClick={clearCart}
          data-testid="cart-clear"
        >
          Empty the cart
        </button>
      </div>
    </Panel>
  )
}

function Line(line: CartLine) {
  const { sku, name, price, quantity } = line
  return (
    <li className="cart-line" data-testid="cart-line" data-sku={sku} data-quantity={quantity}>
      <span className="cart-name">{name}</span>
      <span className="stepper">
        <button
          type="button"
          className="step"
          onClick={() => removeFromCart(sku)}
          aria-label={`One ${name} less`}
          data-testid={`less-${sku}`}
        >
          −
        </button>
        <span className="quantity">{quantity}</span>
        <button
          type="button"
          className="step"
          onClick={() => addToCart(line)}
          aria-label={`One ${name} more`}
          data-testid={`more-${sku}`}
        >
          +
        </button>
      </span>
      <span className="price">{money(price * quantity)}</span>
    </li>
  )
}
