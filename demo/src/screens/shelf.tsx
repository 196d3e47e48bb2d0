import { ProductIcon } from '../icons.tsx'
import { money, PRODUCTS } from '../products.ts'
import { addToCart } from '../shop.ts'
import { Panel } from './panel.tsx'

/** What can be bought. */
export function ShelfScreen() {
  return (
    <Panel id="shelf" title="On the shelf">
      <ul className="products">
        {PRODUCTS.map((product) => (
          <li key={product.sku} className="product">
            <span className="tile">
              <ProductIcon sku={product.sku} />
            </span>
            <span className="product-name">
              {product.name}
              <small>{product.note}</small>
            </span>
            <span className="price">{money(product.price)}</span>
            <button
              type="button"
              className="button"
              onClick={() => addToCart(product)}
              aria-label={`Add ${product.name} to the cart`}
              data-testid={`add-${product.sku}`}
            >
              Add
            </button>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
