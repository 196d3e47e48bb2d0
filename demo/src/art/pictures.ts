import bread from './bread.svg'
import coffee from './coffee.svg'
import honey from './honey.svg'
import milk from './milk.svg'
import oil from './oil.svg'
import tea from './tea.svg'

const PICTURES: Readonly<Record<string, string>> = { bread, coffee, honey, milk, oil, tea }

/** Address of a product's picture. */
export const pictureOf = (sku: string): string | undefined => PICTURES[sku]
