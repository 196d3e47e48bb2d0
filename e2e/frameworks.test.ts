/** The examples of docs/frameworks.md, as they stand there, in a browser. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { compile } from 'svelte/compiler'
import { compileScript, parse } from 'vue/compiler-sfc'
import { test as base, expect, root } from './fixtures.ts'

/** A component of a framework, made a module. */
const components: Plugin = {
  name: 'components',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^example[.]/ }, ({ path }) => ({ path, namespace: 'example' }))
    const examples = { namespace: 'example', filter: /./ }
    onLoad(examples, ({ path }) => ({ ...moduleOf(path), resolveDir: root }))
  },
}

function moduleOf(path: string): { contents: string; loader: 'js' | 'ts' } {
  const source = example(path.slice('example.'.length))
  if (path.endsWith('.svelte')) {
    const { js } = compile(source, { filename: path, generate: 'client' })
    return { contents: js.code, loader: 'js' }
  }
  if (path.endsWith('.vue')) {
    const { descriptor } = parse(source, { filename: path })
    const { content } = compileScript(descriptor, { id: 'example', inlineTemplate: true })
    return { contents: content, loader: 'ts' }
  }
  return { contents: source, loader: 'ts' }
}

/** The example in a language. */
function example(language: string): string {
  const text = readFileSync(join(root, 'docs/frameworks.md'), 'utf8')
  const [, source] = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(text) ?? []
  if (source === undefined) throw new Error(`docs/frameworks.md has no example in ${language}`)
  return source
}

/** What mounts each. */
const mains = {
  ts: `import 'example.ts'`,
  svelte: `import { mount } from 'svelte'
    import Example from 'example.svelte'
    mount(Example, { target: document.body })`,
  vue: `import { createApp } from 'vue'
    import Example from 'example.vue'
    createApp(Example).mount(document.body)`,
}

const test = base.extend<{ pageIn: (language: keyof typeof mains) => Promise<string> }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants a pattern here
  pageIn: async ({}, use) => {
    let script: Uint8Array | undefined
    const server = createServer(({ url }, response) => {
      response.setHeader('content-type', url === '/main.js' ? 'text/javascript' : 'text/html')
      const page =
        '<!doctype html><title>Cart</title><body><script type="module" src="/main.js"></script>'
      response.end(url === '/main.js' ? script : page)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    await use(async (language) => {
      const { outputFiles } = await build({
        stdin: { contents: mains[language], resolveDir: root },
        bundle: true,
        write: false,
        format: 'esm',
        conditions: ['browser'],
        define: { __VUE_PROD_DEVTOOLS__: 'false', __VUE_OPTIONS_API__: 'false' },
        plugins: [components],
        logLevel: 'silent',
      })
      script = outputFiles[0]?.contents
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    })
    server.closeAllConnections()
    server.close()
  },
})

for (const language of ['ts', 'svelte', 'vue'] as const) {
  test(`the example of docs/frameworks.md in ${language} shows what every tab adds`, async ({
    context,
    pageIn,
  }) => {
    const url = await pageIn(language)
    const tabs = [await context.newPage(), await context.newPage()]
    const errors: Error[] = []
    for (const tab of tabs) {
      tab.on('pageerror', (error) => errors.push(error))
      await tab.goto(url)
      await expect(tab.locator('p')).toHaveText('open')
      await expect(tab.locator('b')).toHaveText('0')
    }
    for (const tab of tabs) await tab.getByRole('button', { name: 'Add' }).click()
    for (const tab of tabs) await expect(tab.locator('b')).toHaveText('2')
    expect(errors).toEqual([])
  })
}
