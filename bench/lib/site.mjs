// The page that suites open: a script of pages/, bundled and served on the loopback.
import { createServer } from 'node:http'
import { join } from 'node:path'
import { build } from 'esbuild'

/** Serves pages with the script `pages/<script>`, whatever their path and query. */
export async function serveSite(script) {
  const bundle = await bundled(script)
  const server = createServer((request, response) => {
    // Isolated, a page's clock counts in steps of 5 µs instead of 100.
    response.setHeader('cross-origin-opener-policy', 'same-origin')
    response.setHeader('cross-origin-embedder-policy', 'require-corp')
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
