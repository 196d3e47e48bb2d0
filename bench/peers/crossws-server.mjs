// What one would build on crossws instead of a relay, on Node, Deno or Bun: hands every message to the
// others who joined, keeps nothing.
// node|deno run|bun bench/peers/crossws-server.mjs
import { hooks } from './crossws-hooks.mjs'

const host = '127.0.0.1'

if ('Bun' in globalThis) {
  const { default: adapter } = await import('crossws/adapters/bun')
  const ws = adapter({ hooks })
  const { port } = Bun.serve({
    hostname: host,
    port: 0,
    fetch: (request, server) => ws.handleUpgrade(request, server),
    websocket: ws.websocket,
  })
  console.log(`listening on ${host}:${port}`)
} else if ('Deno' in globalThis) {
  const { default: adapter } = await import('crossws/adapters/deno')
  const ws = adapter({ hooks })
  const listening = ({ port }) => console.log(`listening on ${host}:${port}`)
  Deno.serve({ hostname: host, port: 0, onListen: listening }, (request, info) =>
    ws.handleUpgrade(request, info),
  )
} else {
  const [{ default: adapter }, { createServer }] = await Promise.all([
    import('crossws/adapters/node'),
    import('node:http'),
  ])
  const ws = adapter({ hooks })
  const server = createServer()
  server.on('upgrade', ws.handleUpgrade)
  server.listen(0, host, () => console.log(`listening on ${host}:${server.address().port}`))
}
