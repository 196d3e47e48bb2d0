import { resolve } from 'node:path'
import { build, type Plugin, type ResolvedConfig } from 'vite'

/**
 * Bundles a service worker into one classic script at the root of the site, while developing as in
 * a build: its scope is then the whole site, and it depends on nothing the dev server serves.
 */
export function serviceWorker(entry: string, fileName: string): Plugin {
  let config: ResolvedConfig
  let bundled: Promise<string> | undefined

  async function bundle(): Promise<string> {
    const result = await build({
      root: config.root,
      mode: config.mode,
      configFile: false,
      publicDir: false,
      logLevel: 'warn',
      build: {
        write: false,
        target: config.build.target,
        minify: config.command === 'build',
        lib: {
          entry: resolve(config.root, entry),
          formats: ['iife'],
          name: 'worker',
          fileName: 'worker',
        },
      },
    })
    const [output] = [result].flat()
    if (!output || !('output' in output)) throw new Error(`${entry} was not bundled`)
    return output.output[0].code
  }

  return {
    name: 'crosstown-demo:service-worker',
    configResolved(resolved) {
      config = resolved
    },
    configureServer(server) {
      server.watcher.on('all', () => {
        bundled = undefined
      })
      server.middlewares.use((request, response, next) => {
        if (request.url?.split('?')[0] !== `${config.base}${fileName}`) return next()
        bundled ??= bundle()
        bundled.then((code) => {
          response.setHeader('content-type', 'text/javascript')
          response.setHeader('cache-control', 'no-cache')
          response.end(code)
        }, next)
      })
    },
    async generateBundle() {
      this.emitFile({ type: 'asset', fileName, source: await bundle() })
    },
  }
}
