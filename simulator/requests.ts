// Requests in a run: who asked what, who was called for it, and what came of it.
import type { BusEvent } from '@crosstown/bus'
import { Random, type TestNetwork } from '@crosstown/bus/testing'
import type { Work } from './actions.ts'
import { type Instance, isOver } from './ledger.ts'
import { type Data, type Place, PRISTINE } from './place.ts'

/** A request of a type to which somebody replies in the end must not take so long. */
const SURE_MS = 200_000
const SOON_MS = 3_000

/** One request. */
export interface Asked {
  readonly key: string
  readonly by: Instance
  readonly type: string
  state: 'pending' | 'replied' | 'rejected'
  code?: string
  /** Who replied, and to which request, as the reply says. */
  reply?: { readonly key: string; readonly by: string }
}

/** One call of a responder. */
export interface Answering {
  readonly key: string
  readonly id: string
  readonly by: Instance
  readonly signal: AbortSignal
  readonly begun: number
  ended?: number
}

export class Requesters {
  readonly asked: Asked[] = []
  readonly calls: Answering[] = []
  readonly #network: TestNetwork
  readonly #random: Random
  #steps = 0

  constructor(network: TestNetwork, seed: number) {
    this.#network = network
    this.#random = new Random(seed)
  }

  /** The context responds: to some requests in the end always, to others as chance has it. */
  respond({ bus, context, instance }: Place, slot: number): void {
    const respond = (type: string, isSure: boolean): void => {
      bus.respond(type, async (event: BusEvent<string, Data>, { signal }) => {
        const { key } = event.data
        const call: Answering = { key, id: event.id, by: instance, signal, begun: ++this.#steps }
        this.calls.push(call)
        const fate = isSure ? 1 : this.#random.next()
        const ms = this.#random.between(0, this.#random.chance(0.2) ? 2_000 : 30)
        try {
          await new Promise<void>((resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason))
            // One that hangs ends when its signal does.
            if (fate > 0.1) context.platform.timer(ms, resolve)
          })
          if (fate < 0.3) throw new Error('no reply this time')
          return { key, by: instance.name }
        } finally {
          call.ended = ++this.#steps
        }
      })
    }
    respond(`fact.sure.s${slot % 2}`, true)
    respond('fact.perhaps', false)
  }

  ask({ bus, instance, context }: Place, { about, scope }: Extract<Work, { do: 'ask' }>): void {
    const one: Asked = { key: `r${this.asked.length}`, by: instance, type: about, state: 'pending' }
    this.asked.push(one)
    const timeout = about.startsWith('fact.sure') ? SURE_MS : SOON_MS
    const data: Data = { key: one.key, persist: false, mark: PRISTINE }
    bus.request(about, data, { timeout, scope }).then(
      (reply) => {
        one.state = 'replied'
        one.reply = reply as NonNullable<Asked['reply']>
      },
      ({ code }: { code?: string }) => {
        one.state = 'rejected'
        one.code = String(code)
      },
    )
    if (context.frozen) return
  }

  /** Asks once more from everywhere, when all is well: now it must be replied to, or known that nobody does. */
  async probe(places: readonly Place[]): Promise<string[]> {
    const wrong: string[] = []
    const live = places.filter(({ bus, context, instance }) => {
      const { log, relay } = bus.status.get()
      return !isOver(instance) && !context.frozen && log.state === 'open' && relay === 'online'
    })
    for (const { bus, instance } of live) {
      const data: Data = { key: 'probe', persist: false, mark: PRISTINE }
      for (const [type, expected] of [
        ['fact.nobody', 'no_responder'],
        ['fact.sure.s0', 'replied'],
      ] as const) {
        const isAnybody = live.some((one) => one.instance.device === instance.device)
        if (type !== 'fact.nobody' && !isAnybody) continue
        const outcome = bus.request(type, data, { timeout: SOON_MS }).then(
          () => 'replied',
          ({ code }: { code?: string }) => String(code),
        )
        const found = await this.#network.until(outcome)
        const nobodyHas = type !== 'fact.nobody' && found === 'no_responder'
        if (found !== expected && !nobodyHas)
          wrong.push(`requests: ${type} asked by ${instance.name} at the end: ${found}`)
      }
    }
    return wrong
  }
}
