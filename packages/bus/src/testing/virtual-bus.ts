/** A bus on a virtual clock, and handlers that a test ends when it likes. */

import type { BusError } from '../errors.ts'
import type { AnyBusOptions } from '../options.ts'
import type { Bus } from '../types.ts'
import { VirtualPlatform } from './virtual-platform.ts'
import { createBusOn } from './whole-bus.ts'

export class VirtualBus {
  readonly platform: VirtualPlatform
  readonly reported: BusError[] = []
  readonly bus: Bus<Record<string, unknown>>

  constructor(options: Partial<AnyBusOptions> = {}, seed = 1) {
    this.platform = new VirtualPlatform({ seed })
    const onError = (error: BusError) => void this.reported.push(error)
    this.bus = createBusOn(
      { name: 'shop', log: false, tabs: false, onError, ...options },
      this.platform,
    )
  }

  /** Codes that were reported. */
  get codes(): string[] {
    return this.reported.map(({ code }) => code)
  }

  /** Lets everything run that needs no time. */
  settle(): Promise<void> {
    return settleTasks()
  }

  /** Moves the clock on, and lets everything run that follows. */
  async pass(ms: number): Promise<void> {
    const end = this.platform.monotonic() + ms
    await this.settle()
    while (this.platform.next <= end) {
      this.platform.advanceToNext()
      await this.settle()
    }
    this.platform.advance(end - this.platform.monotonic())
    await this.settle()
  }
}

async function settleTasks(): Promise<void> {
  const { port1, port2 } = new MessageChannel()
  await new Promise<void>((resolve) => {
    port2.onmessage = () => resolve()
    port1.postMessage(0)
  })
  port1.close()
}

/** Calls of a handler that end when a test ends them. */
export class Calls {
  /** What it was given, in order. */
  readonly given: unknown[] = []
  /** Those that run. */
  readonly open: { readonly data: unknown; end(): void; fail(error: unknown): void }[] = []
  most = 0

  readonly handler = (event: { readonly data: unknown }): Promise<void> => {
    const { data } = event
    this.given.push(data)
    return new Promise((resolve, reject) => {
      const settled = (run: () => void) => () => {
        this.open.splice(this.open.indexOf(call), 1)
        run()
      }
      const call = {
        data,
        end: settled(resolve),
        fail: (error: unknown) => settled(() => reject(error))(),
      }
      this.open.push(call)
      this.most = Math.max(this.most, this.open.length)
    })
  }

  /** Ends the oldest that runs. */
  end(): void {
    this.open[0]?.end()
  }
}
