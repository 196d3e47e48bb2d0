import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'

const door = new URL('./index.ts', import.meta.url).href

/** Runs a script in a Node process of its own. */
async function run(
  script: string,
  withBus = true,
): Promise<{ code: number | null; output: string }> {
  const source = withBus
    ? `import { createBus, memoryLog } from ${JSON.stringify(door)}\n${script}`
    : script
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      output += text
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

describe('in a Node process of its own', () => {
  it('an un-awaited publish that fails leaves the process running and is reported once', async () => {
    const { code, output } = await run(`
      const errors = []
      process.on('unhandledRejection', () => console.log('UNHANDLED'))
      const bus = createBus({ name: 'x', log: memoryLog(), onError: (error) => errors.push(error.code) })
      bus.publish('a.b', { f() {} })
      bus.publish('not a type')
      void bus.publish('a.b', 1, { until: 'relayed' })
      setTimeout(() => console.log('still running', errors.join()), 50)`)
    expect(output.trim()).toBe('still running invalid_data,invalid_type,unreachable')
    expect(code).toBe(0)
  })

  it('a failure is told by console.error where no onError is given', async () => {
    const { code, output } =
      await run(`createBus({ name: 'x', log: false, tabs: false }).publish('not a type')
      setTimeout(() => {}, 20)`)
    expect(output).toContain('[crosstown] [batch] invalid_type')
    expect(code).toBe(0)
  })

  it('a bus keeps no process alive', async () => {
    const { code, output } = await run(`
      const bus = createBus({ name: 'x' })
      bus.subscribe('a.b', (event) => console.log('heard', event.data))
      await bus.publish('a.b', 1)`)
    expect(output.trim()).toBe('heard 1')
    expect(code).toBe(0)
  })

  it('a process stays while it waits for a relay, and ends when the bus closes', async () => {
    const { code, output } = await run(`
      const { relayLink } = await import(${JSON.stringify(door)})
      const relay = relayLink({ url: 'ws://127.0.0.1:9', room: 'nobody' })
      const bus = createBus({ name: 'x', log: memoryLog(), tabs: false, relay, onError() {} })
      // Long after the link has nothing to do but wait, only this timer would end the process.
      const later = setTimeout(() => bus.close(), 700)
      later.unref()
      const error = await bus.publish('a.b', 1, { until: 'relayed' }).catch((error) => error)
      console.log(error.code)`)
    expect(output.trim()).toBe('closed')
    expect(code).toBe(0)
  })

  it('a process stays while a guest waits for its host', async () => {
    const { code, output } = await run(`
      const { portLink } = await import(${JSON.stringify(door)})
      const { port1, port2 } = new MessageChannel()
      const guest = createBus({ name: 'x', log: false, tabs: false, links: [portLink(port1)] })
      const published = guest.publish('a.b', 1)
      // The other end comes up when there is nothing else to do any more.
      setTimeout(() => {
        createBus({ name: 'y', log: memoryLog(), tabs: false, links: [portLink(port2)] }).subscribe('a.b', () => {})
      }, 50).unref()
      console.log((await published).type)`)
    expect(output.trim()).toBe('a.b')
    expect(code).toBe(0)
  })

  it.each(['index', 'log/sqlite', 'protocol/index', 'testing/index'])(
    'importing %s has no side effects',
    async (file) => {
      const url = new URL(`./${file}.ts`, import.meta.url).href
      const { output } = await run(
        `
      const { WebSocket, BroadcastChannel, indexedDB } = globalThis
      const touched = []
      for (const name of ['setTimeout', 'setInterval', 'queueMicrotask', 'WebSocket', 'BroadcastChannel']) {
        const real = globalThis[name]
        globalThis[name] = new Proxy(real, {
          apply: (...all) => (touched.push(name), Reflect.apply(...all)),
          construct: (...all) => (touched.push(name), Reflect.construct(...all)),
        })
      }
      const look = () => JSON.stringify([Object.keys(globalThis), process.getActiveResourcesInfo(), process.eventNames().map(String)])
      const before = look()
      await import(${JSON.stringify(url)})
      console.log(look() === before && touched.length === 0 ? 'nothing' : [before, look(), touched].join())`,
        false,
      )
      expect(output.trim()).toBe('nothing')
    },
  )
})
