import { useProjection } from '@crosstown/bus/react'
import { pictureOf } from '../../art/pictures.ts'
import { PlusIcon } from '../../icons.tsx'
import { money, type Product } from '../../products.ts'
import { addToCart, restock } from '../../shop.ts'
import { stock } from '../../views.ts'

const FEW = 5
const CRATE = 12

export function ProductCard({ product }: { product: Product }) {
  const { sku, name, note, price } = product
  const left = useProjection(stock)[sku] ?? 0
  return (
    <li className="product" data-sku={sku} data-testid="product">
      <div className="product-picture">
        <img src={pictureOf(sku)} alt="" width="200" height="200" />
      </div>
      <div className="product-text">
        <h3>{name}</h3>
        <p>{note}</p>
      </div>
      <div className="product-foot">
        <p className="product-price">{money(price)}</p>
        <p
          className="stock"
          data-testid={`stock-${sku}`}
          data-left={left}
          data-few={left <= FEW || undefined}
        >
          {left <= 0 ? 'Sold out' : left <= FEW ? `Only ${left} left` : `${left} in stock`}
        </p>
        {left <= 0 ? (
          <button
            type="button"
            className="button"
            onClick={() => restock(sku, CRATE)}
            data-testid={`restock-${sku}`}
            aria-label={`Restock ${name}`}
          >
            Restock
          </button>
        ) : (
          <button
            type="button"
            className="button primary round"
            onClick={() => addToCart(product)}
            aria-label={`Add ${name} to the cart`}
            data-testid={`add-${sku}`}
          >
            <PlusIcon />
          </button>
        )}
      </div>
    </li>
  )
}
