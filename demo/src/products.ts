export interface Product {
  readonly sku: string
  readonly name: string
  readonly note: string
  /** In cents. */
  readonly price: number
}

export const PRODUCTS: readonly Product[] = [
  { sku: 'bread', name: 'Sourdough loaf', note: 'Baked this morning', price: 480 },
  { sku: 'coffee', name: 'Coffee beans', note: '250 g, medium roast', price: 1150 },
  { sku: 'milk', name: 'Oat milk', note: '1 litre', price: 235 },
  { sku: 'honey', name: 'Wildflower honey', note: '340 g jar', price: 790 },
  { sku: 'oil', name: 'Olive oil', note: '500 ml, cold pressed', price: 1290 },
  { sku: 'tea', name: 'Green tea', note: '100 g, loose leaf', price: 860 },
]

const format = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' })

export const money = (cents: number): string => format.format(cents / 100)
