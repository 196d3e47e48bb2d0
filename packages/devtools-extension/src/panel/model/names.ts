/** Short and unique names of peers: `tab 1 · Cart`, `service worker`, `orders · node`, `relay`. */
import type { HelloFrame } from '@crosstown/bus/inspect'

export interface Numbered {
  readonly hello: HelloFrame
  /** Which of its kind it is, from 1. */
  readonly number: number
  /** Which load of the same page, from 1: a reload is another peer in the same tab. */
  readonly load: number
}

const MAX_TITLE = 28

const WORDS: { readonly [Kind in HelloFrame['kind']]: string } = {
  page: 'tab',
  iframe: 'iframe',
  worker: 'worker',
  'service-worker': 'service worker',
  node: 'node',
  deno: 'deno',
  bun: 'bun',
  relay: 'relay',
}

/** What peers are numbered by: those with the same family get 1, 2, 3... */
export function familyOf(hello: HelloFrame): string {
  switch (hello.kind) {
    case 'node':
    case 'deno':
    case 'bun':
      return `${hello.source} ${hello.kind}`
    case 'relay':
      return 'relay'
    default:
      return hello.kind
  }
}

export function nameOf({ hello, number, load }: Numbered): string {
  const word = WORDS[hello.kind]
  const which = load > 1 ? `${number}.${load}` : `${number}`
  switch (hello.kind) {
    case 'page':
    case 'iframe': {
      const title = titleOf(hello)
      return title === '' ? `${word} ${which}` : `${word} ${which} · ${title}`
    }
    case 'worker':
      return hello.source === 'worker'
        ? `${word} ${which}`
        : `${word} ${which} · ${cut(hello.source)}`
    case 'service-worker':
    case 'relay':
      return which === '1' ? word : `${word} ${which}`
    default: {
      const name = hello.source === hello.kind ? word : `${cut(hello.source)} · ${word}`
      return which === '1' ? name : `${name} ${which}`
    }
  }
}

function titleOf(hello: HelloFrame): string {
  if (hello.title !== undefined && hello.title.trim() !== '') return cut(hello.title.trim())
  const path = /^[a-z][a-z0-9+.-]*:\/\/[^/]*(\/[^?#]*)/i.exec(hello.url ?? '')?.[1]
  return path === undefined || path === '/' ? '' : cut(path)
}

function cut(text: string): string {
  return text.length > MAX_TITLE ? `${text.slice(0, MAX_TITLE - 1)}…` : text
}
