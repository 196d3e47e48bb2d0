export interface Product {
  readonly sku: string
  readonly name: string
  readonly note: string
  /** In cents. */
  readonly price: number
  /** How many the warehouse begins with. */
  readonly stock: number
}

export const PRODUCTS: readonly Product[] = [
  { sku: 'bread', name: 'Sourdough loaf', note: 'Baked this morning', price: 480, stock: 24 },
  {
    sku: 'honey',
    name: 'Wildflower honey',
    note: '340 g, from the allotments',
    price: 790,
    stock: 4,
  },
  { sku: 'coffee', name: 'Coffee beans', note: '250 g, medium roast', price: 1150, stock: 18 },
  { sku: 'oil', name: 'Olive oil', note: '500 ml, cold pressed', price: 1290, stock: 12 },
  { sku: 'milk', name: 'Oat milk', note: '1 litre', price: 235, stock: 40 },
  { sku: 'tea', name: 'Green tea', note: '100 g, loose leaf', price: 860, stock: 16 },
]

export const nameOf = (sku: string): string =>
  PRODUCTS.find((product) => product.sku === sku)?.name ?? sku

const format = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' })

export const money = (cents: number): string => format.format(cents / 100)
