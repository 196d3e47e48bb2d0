// The page that suites open: a script of pages/, bundled and served on the loopback.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { build } from 'esbuild'

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' }

/**
 * Serves pages with the script `pages/<script>`, whatever their path and query, but for those below
 * `/panel/`, which are files of `panel`.
 */
export async function serveSite(script, { panel } = {}) {
  const bundle = await bundled(script)
  const server = createServer(async (request, response) => {
    // Isolated, a page's clock counts in steps of 5 µs instead of 100.
    response.setHeader('cross-origin-opener-policy', 'same-origin')
    response.setHeader('cross-origin-embedder-policy', 'require-corp')
    const { pathname } = new URL(request.url, 'http://bench')
    if (panel && pathname.startsWith('/panel/') && !pathname.includes('..')) {
      const file = pathname.slice('/panel/'.length) || 'index.html'
      const text = await readFile(join(panel, file)).catch(() => undefined)
      response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream')
      if (text === undefined) response.statusCode = 404
      response.end(text)
      return
    }
    const isScript = request.url === '/page.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html; charset=utf-8')
    response.end(isScript ? bundle : '<!doctype html><script src="/page.js"></script>')
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function bundled(script) {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, '../pages', script)],
    bundle: true,
    format: 'iife',
    platform: 'browser',
    write: false,
  })
  return outputFiles[0].text
}
