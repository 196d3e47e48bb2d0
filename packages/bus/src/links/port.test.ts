import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { BusError } from '../errors.ts'
import { linkContract } from '../testing/link-contract.ts'
import { type MessageEndpoint, portLink } from './port.ts'

const origins = ['https://widget.example']

/** The second end of a channel, by its name. */
const waiting = new Map<string, MessagePort>()
function endOf(channel: string): MessagePort {
  const other = waiting.get(channel)
  waiting.delete(channel)
  if (other) return other
  const { port1, port2 } = new MessageChannel()
  waiting.set(channel, port2)
  return port1
}
linkContract(
  'port',
  { describe, it },
  { ends: 2, open: (channel) => portLink(endOf(channel), { origins }) },
)

describe('port link', () => {
  it('does nothing before it is used', () => {
    const { port1 } = new MessageChannel()
    const calls: string[] = []
    const port = new Proxy(port1, {
      get: (target, key) => {
        calls.push(String(key))
        return Reflect.get(target, key)
      },
    })
    portLink(port, { origins })
    expect(calls.filter((key) => key !== 'window' && key !== 'postMessage')).toEqual([])
  })

  it('passes over what is no text', async () => {
    const { port1, port2 } = new MessageChannel()
    const link = portLink(port1)
    const heard: unknown[] = []
    const last = new Promise<void>((resolve) => {
      link.receive((text) => {
        heard.push(text)
        if (text === 'last') resolve()
      })
    })
    for (const message of [null, 7, {}, ['x'], new Map(), 'last']) port2.postMessage(message)
    await last
    expect(heard).toEqual(['last'])
    link.close()
  })

  it('says what it refuses of an origin that was not stated, where messages carry one', () => {
    const target = new EventTarget()
    const endpoint = Object.assign(target, { postMessage: () => {} }) as unknown as MessageEndpoint
    const link = portLink(endpoint, { origins })
    const heard: string[] = []
    const reported: BusError[] = []
    link.receive(
      (text) => heard.push(text),
      (error) => reported.push(error),
    )
    for (const origin of ['https://evil.example', 'https://widget.example', '']) {
      target.dispatchEvent(new MessageEvent('message', { data: `from ${origin}`, origin }))
    }
    expect(heard).toEqual(['from https://widget.example', 'from '])
    expect(reported.map(({ code }) => code)).toEqual(['bad_origin'])
    link.close()
  })

  it('leaves a worker running when it is closed', () => {
    const target = new EventTarget()
    let ended = false
    const scope = Object.assign(target, {
      postMessage: () => {},
      close: () => {
        ended = true
      },
    }) as unknown as MessageEndpoint
    const link = portLink(scope)
    link.receive(() => {})
    link.close()
    expect(ended).toBe(false)
  })

  it('closes the port, which the other end notices', async () => {
    const { port1, port2 } = new MessageChannel()
    const link = portLink(port1)
    link.receive(() => {})
    const closed = once(port2, 'close')
    link.close()
    await closed
  })

  it('keeps no process alive', async () => {
    const script = `
      import { portLink } from ${JSON.stringify(new URL('./port.ts', import.meta.url).href)}
      const { port1 } = new MessageChannel()
      globalThis.kept = port1
      portLink(port1).receive(() => {})
      console.log('listening')`
    const args = ['--input-type=module', '-e', script]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    expect(stdout.trim()).toBe('listening')
  })

  it.each<[string, () => unknown]>([
    ['no endpoint', () => portLink(undefined as never, { origins })],
    ['a frame that is not in the page', () => portLink(null, { origins })],
    ['something else', () => portLink({} as never, { origins })],
    ['every origin', () => portLink(new MessageChannel().port1, { origins: ['*'] })],
    ['no origin', () => portLink(new MessageChannel().port1, { origins: [] })],
    ['a URL', () => portLink(new MessageChannel().port1, { origins: ['https://a.example/x'] })],
    ['an opaque origin', () => portLink(new MessageChannel().port1, { origins: ['null'] })],
    ['text', () => portLink(new MessageChannel().port1, { origins: 'https://a' as never })],
    ['no channel', () => portLink(new MessageChannel().port1, { origins, channel: '' })],
    [
      'a window whose origins are not stated',
      () => {
        const view: Record<string, unknown> = { postMessage: () => {} }
        view['window'] = view
        return portLink(view as never)
      },
    ],
  ])('refuses %s', (_, open) => {
    expect(open).toThrow(expect.objectContaining({ code: 'invalid_options' }))
  })
})
