/** Which screen is shown: the part of the address behind `#`. */
import { createStore } from './store.ts'

const SCREENS = ['shop', 'orders', 'activity'] as const
export type Screen = (typeof SCREENS)[number]

export interface Route {
  readonly screen: Screen
  /** The parts behind the screen's name, and what follows a `?`. */
  readonly rest: readonly string[]
  readonly query: string
}

function routeFrom(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  const [first, ...rest] = path.split('/').map(decoded)
  const screen = SCREENS.find((name) => name === first) ?? 'shop'
  return { screen, rest, query }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export const hrefOf = (...parts: readonly string[]): string =>
  `#/${parts.map(encodeURIComponent).join('/')}`

export const route = createStore(routeFrom(location.hash))
addEventListener('hashchange', () => route.set(routeFrom(location.hash)))
