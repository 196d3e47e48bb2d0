import { shown } from '../errors.ts'
import type { Middleware, MiddlewareContext } from '../types.ts'

interface SpanLike {
  spanContext(): { readonly traceId: string; readonly spanId: string; readonly traceFlags: number }
  setAttribute(key: string, value: string): unknown
  setStatus(status: { code: number; message?: string }): unknown
  recordException(exception: Error | string): void
  end(): void
}

/** What is used of `@opentelemetry/api`; said here, so that whoever does without it needs no types of it. */
export interface OpenTelemetryApi<Context, Span extends SpanLike> {
  readonly trace: {
    getTracer(name: string): {
      startSpan(
        name: string,
        options: { kind?: number; attributes?: Record<string, string | number> },
        context: Context,
      ): Span
    }
    getSpan(context: Context): Span | undefined
    setSpan(context: Context, span: Span): Context
    setSpanContext(
      context: Context,
      parent: { traceId: string; spanId: string; traceFlags: number; isRemote: boolean },
    ): Context
  }
  readonly context: {
    active(): Context
    with<T>(context: Context, run: () => T): T
  }
}

const PRODUCER = 3
const CONSUMER = 4
const FAILED = 2

/**
 * A span for each publish, and for each call of a handler, tied together by the events' `traceparent`:
 * through every tab, device and service. What a handler does and publishes belongs to its span; in
 * browsers, which have no context that outlasts an `await`, what it publishes with `ctx.publish`.
 *
 * @param api the module `@opentelemetry/api`
 * @example
 * import * as api from '@opentelemetry/api'
 * bus.use(openTelemetry(api))
 */
export function openTelemetry<Context, Span extends SpanLike>(
  api: OpenTelemetryApi<Context, Span>,
): Middleware {
  const { context, trace } = api
  const tracer = trace.getTracer('@crosstown/bus')

  /** Runs within a new span, and ends it with what came of that. */
  async function within<T>(
    name: string,
    type: string,
    kind: number,
    parent: Context,
    more: Record<string, string | number>,
    run: (span: Span) => T,
    call?: Pick<MiddlewareContext, 'signal' | 'ended'>,
  ): Promise<Awaited<T>> {
    const attributes = {
      'messaging.system': 'crosstown',
      'messaging.destination.name': type,
      'messaging.operation.name': name,
      'messaging.operation.type': kind === PRODUCER ? 'send' : 'process',
      ...more,
    }
    const span = tracer.startSpan(`${name} ${type}`, { kind, attributes }, parent)
    let ended = false
    const end = (failure?: { readonly reason: unknown }): void => {
      if (ended) return
      ended = true
      call?.signal.removeEventListener('abort', gaveUp)
      if (failure) {
        const told = failure.reason instanceof Error ? failure.reason : shown(failure.reason)
        span.recordException(told)
        span.setStatus({ code: FAILED, message: typeof told === 'string' ? told : told.message })
      }
      span.end()
    }
    // A call that took too long is given up, and may never end; when its subscription ends, it goes on.
    const gaveUp = (): void => {
      if (!call?.ended.aborted) end({ reason: call?.signal.reason })
    }
    call?.signal.addEventListener('abort', gaveUp)
    try {
      const result = await context.with(trace.setSpan(parent, span), () => run(span))
      end()
      return result
    } catch (reason) {
      end({ reason })
      throw reason
    }
  }

  /** What runs now, or the span that an event names where nothing does. */
  function parentOf(traceparent: string | undefined, first: 'active' | 'named'): Context {
    const active = context.active()
    if (first === 'active' && trace.getSpan(active)) return active
    const [, traceId, spanId, flags] = PARENT.exec(traceparent ?? '') ?? []
    if (!traceId || !spanId || !flags) return active
    const traceFlags = Number.parseInt(flags, 16)
    return trace.setSpanContext(active, { traceId, spanId, traceFlags, isRemote: true })
  }

  return {
    publish(draft, next) {
      const { type } = draft
      const parent = parentOf(draft.traceparent, 'active')
      return within('publish', type, PRODUCER, parent, {}, async (span) => {
        const traceparent = traceparentOf(span) ?? draft.traceparent
        const event = await next({ ...draft, traceparent })
        span.setAttribute('messaging.message.id', event.id)
        span.setAttribute('messaging.message.conversation_id', event.correlationId)
        return event
      })
    },
    handle(event, next, { attempt, signal, ended }) {
      const { type, id, correlationId, traceparent } = event
      const more = {
        'messaging.message.id': id,
        'messaging.message.conversation_id': correlationId,
        'crosstown.attempt': attempt,
      }
      const parent = parentOf(traceparent, 'named')
      const own = signal === ended ? undefined : { signal, ended }
      return within('process', type, CONSUMER, parent, more, () => next(), own)
    },
  }
}

const PARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/

/** `undefined` without an SDK that makes spans. */
function traceparentOf(span: SpanLike): string | undefined {
  const { traceId, spanId, traceFlags } = span.spanContext()
  if (/^0*$/.test(traceId)) return undefined
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}
