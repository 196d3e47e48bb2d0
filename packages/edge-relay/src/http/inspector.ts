/**
 * The panel of the developer tools as a page, at `/inspector`: files of a folder, and nothing beside
 * them. It is the same for everybody; the token is typed into it, and goes to this relay only.
 */
import { BusError } from '@crosstown/bus/protocol'
import type { Context } from 'hono'

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  json: 'application/json',
  svg: 'image/svg+xml',
  png: 'image/png',
  woff2: 'font/woff2',
}
const NAME = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*\.(\w+)$/

/** To where its files lie side by side; relative, as the relay may be behind a path of a proxy. */
export function redirectToInspector(c: Context): Response {
  return c.body(null, 308, { Location: `inspector/${new URL(c.req.url).search}` })
}

/** @throws {BusError} not_found */
export async function answerInspector(c: Context, folder: string): Promise<Response> {
  const path = c.req.path.slice(c.req.path.indexOf('/inspector/') + '/inspector/'.length)
  const name = path === '' ? 'index.html' : path
  const type = TYPES[NAME.exec(name)?.[1] ?? '']
  const bytes = type === undefined ? undefined : await read(`${folder}/${name}`)
  if (type === undefined || !bytes)
    throw new BusError('not_found', 'the inspector has no such file')
  return c.body(bytes, 200, {
    'Content-Type': type,
    'Content-Security-Policy': policy(c.req.header('host')),
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    // Names in `assets` have the hash of what they hold.
    'Cache-Control': name.startsWith('assets/') ? 'max-age=31536000, immutable' : 'no-cache',
  })
}

/** Its own files and sockets of this relay: what is typed into the page goes nowhere else. */
function policy(host: string | undefined): string {
  // Not every browser counts sockets of the same host to 'self'.
  const sockets =
    host !== undefined && /^[\w.:[\]-]+$/.test(host) ? ` ws://${host} wss://${host}` : ''
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src 'self'${sockets}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

async function read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  // Not imported: what bundles a relay for where there are no files would look for them.
  const files = globalThis.process?.getBuiltinModule?.('node:fs/promises')
  try {
    return files && new Uint8Array(await files.readFile(path))
  } catch {
    return undefined
  }
}
