/** `GET /metrics`: what the relay counted, as Prometheus reads it. */
import { BusError } from '@crosstown/bus/protocol'
import type { Context } from 'hono'
import type { Metric, Registry } from 'prom-client'
import {
  BUCKETS_SECONDS,
  COUNTERS,
  GAUGES,
  type GaugeName,
  METRIC_PREFIX,
  type Meter,
  type Reading,
  TIMINGS,
  type TimingName,
} from '../metrics.ts'
import type { Platform } from '../platform.ts'

/** Who may read `/metrics`: everybody who reaches it, who has a token of its own, or nobody. */
export type MetricsAccess = 'open' | { readonly token: string } | false

/** What a relay has to show. */
export interface Measured {
  readonly meter: Meter
  readonly gauges: () => Readonly<Record<GaugeName, readonly Reading[]>>
}

type PromClient = typeof import('prom-client')

/** Not as a literal: who bundles a relay for where there is no Node would have to bundle it, too. */
const PROM_CLIENT: string = 'prom-client'

const MIN_TOKEN = 16

/** @throws {BusError} invalid_options */
export function checkAccess(access: MetricsAccess): MetricsAccess {
  if (access === false || access === 'open') return access
  if (typeof access?.token === 'string' && access.token.length >= MIN_TOKEN) return access
  throw new BusError(
    'invalid_options',
    `metrics must be 'open', false, or { token } of at least ${MIN_TOKEN} characters`,
  )
}

/** Makes text of one relay's metrics, in a registry of its own. */
export class Exposition {
  readonly #measured: Measured
  readonly #access: MetricsAccess
  readonly #platform: Platform
  #registry: Promise<Registry> | undefined

  constructor(measured: Measured, access: MetricsAccess, platform: Platform) {
    this.#measured = measured
    this.#access = access
    this.#platform = platform
  }

  /** @throws {BusError} forbidden, unauthorized, not_found */
  async answer(c: Context): Promise<Response> {
    await this.#admit(c.req.header('authorization'))
    this.#registry ??= registryOf(this.#measured)
    const registry = await this.#registry
    return c.body(await registry.metrics(), 200, {
      'Content-Type': registry.contentType,
      'Cache-Control': 'no-store',
    })
  }

  async #admit(authorization: string | undefined): Promise<void> {
    const access = this.#access
    if (access === 'open') return
    if (access === false) {
      const what = 'nobody may read the metrics of this relay; see its option metrics'
      throw new BusError('forbidden', what)
    }
    const given = /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1] ?? ''
    // Hashes: how long comparing them takes says nothing of the token.
    const [one, other] = await Promise.all(
      [given, access.token].map((token) => this.#platform.sha256(token)),
    )
    if (one !== other) throw new BusError('unauthorized', 'the token of /metrics is not this one')
  }
}

async function registryOf({ meter, gauges }: Measured): Promise<Registry> {
  const { Counter, Gauge, Registry, collectDefaultMetrics } = await promClient()
  const registry = new Registry()
  const registers = [registry]
  for (const name of keysOf(COUNTERS)) {
    const { help, labels = [] } = COUNTERS[name]
    new Counter({
      name: METRIC_PREFIX + name,
      help,
      labelNames: labels,
      registers,
      collect() {
        this.reset()
        for (const [value, ...given] of meter.counts(name)) this.inc(named(labels, given), value)
      },
    })
  }
  for (const name of keysOf(GAUGES)) {
    const { help, labels = [] } = GAUGES[name]
    new Gauge({
      name: METRIC_PREFIX + name,
      help,
      labelNames: labels,
      registers,
      collect() {
        this.reset()
        for (const [value, ...given] of gauges()[name]) this.set(named(labels, given), value)
      },
    })
  }
  for (const name of keysOf(TIMINGS))
    registry.registerMetric(histogram(meter, name) as unknown as Metric)
  try {
    collectDefaultMetrics({ register: registry })
  } catch {
    // A runtime that is not Node has not all that these look at; then there are those before it.
  }
  return registry
}

/** The client's own histogram takes single observations only, and these are counted already. */
function histogram(meter: Meter, name: TimingName) {
  const { help, labels = [] } = TIMINGS[name]
  const full = METRIC_PREFIX + name
  return {
    name: full,
    help,
    type: 'histogram',
    aggregator: 'sum',
    reset() {},
    get: async () => ({
      name: full,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: meter.timings(name).flatMap(({ timing, labels: given }) => {
        const own = named(labels, given)
        let below = 0
        const buckets = timing.buckets.map((count, i) => {
          below += count
          const le = BUCKETS_SECONDS[i] ?? '+Inf'
          return { metricName: `${full}_bucket`, labels: { le, ...own }, value: below }
        })
        return [
          ...buckets,
          { metricName: `${full}_sum`, labels: own, value: timing.sum },
          { metricName: `${full}_count`, labels: own, value: timing.count },
        ]
      }),
    }),
  }
}

async function promClient(): Promise<PromClient> {
  try {
    return (await import(PROM_CLIENT)) as PromClient
  } catch (cause) {
    const what = 'this runtime has no prom-client, and so no metrics'
    throw new BusError('not_found', what, { cause })
  }
}

function named(names: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name, i) => [name, values[i] ?? '']))
}

function keysOf<K extends string>(table: Readonly<Record<K, unknown>>): K[] {
  return Object.keys(table) as K[]
}
