// Keeps the README files true: their TypeScript compiles, their links lead somewhere, their npm
// scripts exist; and the relay answers as the HTTP examples of docs/protocol.md say.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createRelay, type Relay } from '@crosstown/edge-relay'
import { afterEach, describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const readmes = [
  'README.md',
  'packages/bus/README.md',
  'packages/edge-relay/README.md',
  'docs/testing-your-app.md',
  'docs/devtools.md',
  'docs/reading.md',
  'docs/schemas.md',
  'docs/presence.md',
  'docs/inspect.md',
  'docs/react.md',
  'docs/frameworks.md',
  'docs/delivery.md',
  'docs/outbox.md',
]
const texts = [
  ...readmes,
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'docs/testing.md',
  'docs/operations.md',
  'docs/protocol.md',
  'docs/links.md',
  'docs/sql.md',
  'docs/threat-model.md',
  ...['deploy', 'examples'].flatMap((folder) =>
    readdirSync(join(root, 'docs', folder)).map((name) => `docs/${folder}/${name}`),
  ),
]
const read = (path: string) => readFileSync(join(root, path), 'utf8')

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

const OPTIONS = {
  module: 'nodenext',
  target: 'es2023',
  lib: ['es2024', 'esnext.disposable', 'dom', 'dom.iterable', 'dom.asynciterable'],
  types: ['node'],
  jsx: 'react-jsx',
  strict: true,
  exactOptionalPropertyTypes: true,
  verbatimModuleSyntax: true,
  skipLibCheck: true,
  noEmit: true,
}

/** A folder with these files, in which the packages are installed. */
function folderOf(examples: ReadonlyMap<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'crosstown-docs-'))
  folders.push(folder)
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  for (const [name, text] of examples) writeFileSync(join(folder, name), text)
  return folder
}

/** Runs Node in a folder; all it says. */
async function run(
  args: readonly string[],
  cwd: string,
): Promise<{ code: unknown; output: string }> {
  const child = spawn(process.execPath, args, { cwd })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const [code] = await once(child, 'close')
  return { code, output }
}

/** What the compiler says of TypeScript examples, each a file by itself. */
async function compile(examples: ReadonlyMap<string, string>): Promise<string> {
  const folder = folderOf(examples)
  const config = { compilerOptions: OPTIONS, files: [...examples.keys()] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { code, output } = await run([tsc, '-p', folder, '--pretty', 'false'], folder)
  return code === 0 ? '' : output || `tsc ended with ${code}`
}

/** The blocks of a language, each below as many empty lines as stand above it in the text. */
function examplesOf(path: string, language: string): Map<string, string> {
  const text = read(path)
  const examples = new Map<string, string>()
  for (const match of text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))) {
    const line = text.slice(0, match.index).split('\n').length
    const name = path.replace(/[/.]/g, '_')
    examples.set(`${name}_${line}.${language}`, '\n'.repeat(line) + match[1])
  }
  return examples
}

/** The scripts of the components in a language. */
function scriptsOf(path: string, language: string): [string, string][] {
  return [...examplesOf(path, language)].map(([name, component]) => [
    `${name}.ts`,
    component.replace(/^.*?<script[^>]*>|<[/]script>.*$/gs, ''),
  ])
}

describe('README files', () => {
  it('and docs have TypeScript that compiles', async () => {
    const paths = [...readmes, 'docs/links.md', ...texts.filter((path) => /examples/.test(path))]
    const examples = new Map(
      paths.flatMap((path) => [
        ...examplesOf(path, 'ts'),
        ...examplesOf(path, 'tsx'),
        ...scriptsOf(path, 'svelte'),
        ...scriptsOf(path, 'vue'),
      ]),
    )
    expect(examples.size).toBeGreaterThan(8)
    expect(await compile(examples)).toBe('')
  })

  it('and docs assert only what holds', async () => {
    const examples = [...readmes, 'docs/links.md']
      .flatMap((path) => [...examplesOf(path, 'ts')])
      .filter(([, text]) => text.includes("from 'node:assert/strict'"))
    expect(examples.length).toBeGreaterThan(2)
    const folder = folderOf(new Map(examples))
    for (const [name] of examples) {
      const { code, output } = await run([name], folder)
      expect(code, output).toBe(0)
    }
  })

  it('would be caught with a wrong one', async () => {
    const wrong = "import { createBus } from '@crosstown/bus'\ncreateBus({ nam: 'shop' })\n"
    expect(await compile(new Map([['wrong.ts', wrong]]))).toContain("'nam' does not exist")
  })
})

describe.each(texts)('%s', (path) => {
  it('has links that lead to a file, and anchors that lead to a heading', () => {
    const text = read(path)
    const broken: string[] = []
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const [file = '', anchor] = target.split('#')
      const full = file === '' ? join(root, path) : join(root, dirname(path), file)
      if (!existsSync(full)) broken.push(target)
      else if (anchor !== undefined && !anchors(readFileSync(full, 'utf8')).has(anchor))
        broken.push(target)
    }
    expect(broken).toEqual([])
  })

  it('names npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const named = [...read(path).matchAll(/\bnpm (?:run (\w+)|(start|test)\b)/g)]
    for (const [, script, short] of named) expect(scripts).toHaveProperty(script ?? short ?? '')
  })
})

/** The anchors of a text's headings, as they are made on the web. */
function anchors(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    ),
  )
}

describe('HTTP examples of docs/protocol.md', () => {
  it('are what a relay answers', async () => {
    const relay = createRelay()
    const pairs = [
      ...read('docs/protocol.md').matchAll(
        /^```http\n(.*?)^```$\s+^```http-answer (\d+)\n(.*?)^```$/gms,
      ),
    ]
    expect(pairs.length).toBeGreaterThan(3)
    for (const [, request = '', status, answer = ''] of pairs) {
      const [head = '', body] = request.trimEnd().split('\n\n')
      const [line = '', ...lines] = head.split('\n')
      const [method = '', path = ''] = line.split(' ')
      const headers = lines.map((text) => text.split(': ') as [string, string])
      const url = `http://127.0.0.1${path}`
      const response = await relay.request(url, { method, headers, ...(body && { body }) })
      expect(response.status, line).toBe(Number(status))
      expect(withoutChance(await response.json()), line).toEqual(withoutChance(JSON.parse(answer)))
    }
    await expectStream(relay)
    await relay.close()
  })
})

/** The example of an event stream is how the relay's begins. */
async function expectStream(relay: Relay): Promise<void> {
  const [, path = '', expected = ''] =
    /^```http\nGET (\S+)\nAccept: text\/event-stream\n```\s+^```event-stream\n(.*?)^```$/ms.exec(
      read('docs/protocol.md'),
    ) ?? []
  const headers = { accept: 'text/event-stream' }
  const { body } = await relay.request(`http://127.0.0.1${path}`, { headers })
  const reader = (body as ReadableStream<Uint8Array>).getReader()
  const decoder = new TextDecoder()
  let text = ''
  while (blocksOf(text).length < blocksOf(expected).length) {
    const { done, value } = await reader.read()
    if (done) break
    text += decoder.decode(value, { stream: true })
  }
  await reader.cancel()
  expect(blocksOf(text)).toEqual(blocksOf(expected))
}

/** Fields of each block of an event stream; data as what it is, positions without their epochs. */
function blocksOf(text: string): unknown[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .map((block) =>
      block.split('\n').map((line) => {
        const [, name = '', value = ''] = /^(.*?): (.*)$/.exec(line) ?? []
        return [name, withoutChance(name === 'data' ? JSON.parse(value) : value)]
      }),
    )
}

/** A value without what differs from one relay and one moment to another: epochs and times. */
function withoutChance(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) =>
      key === 'time'
        ? 0
        : typeof inner === 'string'
          ? inner.replace(/^[\w-]{12}(?=\.\d+\.\w+(\.\w+)?$)/, '')
          : inner,
    ),
  )
}
