/** Events as CloudEvents, and back, for what an application does with them beside the bus. */
import type { BusEvent } from '../event.ts'
import {
  attributesOf,
  type CloudEventAttributes,
  envelopeOf,
  VALUE_TYPE,
} from '../protocol/cloud-event.ts'
import { decodeValue, encodeValue } from './codec.ts'

/** A CloudEvent 1.0 in the JSON format: its attributes, and data as a JSON value. */
export type CloudEvent = CloudEventAttributes & {
  readonly data?: unknown
  readonly data_base64?: string
}

/**
 * The event as a CloudEvent: `fromCloudEvent` makes the same event of it. Data that JSON has no words
 * for is in the form of devalue, and `datacontenttype` says so.
 *
 * @throws {BusError} invalid_data
 * @example
 * await fetch(url, {
 *   method: 'POST',
 *   headers: { 'content-type': 'application/cloudevents+json' },
 *   body: JSON.stringify(toCloudEvent(event)),
 * })
 */
export function toCloudEvent(event: BusEvent): CloudEvent {
  if (event.data === undefined) return attributesOf(event)
  const { text, encoding } = encodeValue(event.data, event.type)
  const type = encoding === 'devalue' ? VALUE_TYPE : 'application/json'
  return { ...attributesOf(event, type), data: JSON.parse(text) as never }
}

/**
 * The event in a CloudEvent, of ours or of anybody: extensions that are not ours are in `metadata`, and
 * binary data is a `Uint8Array`.
 *
 * @throws {BusError} invalid_type, invalid_options, invalid_data
 */
export function fromCloudEvent(cloudEvent: Readonly<Record<string, unknown>>): BusEvent {
  const { data, data_base64: base64, datacontenttype: contentType } = cloudEvent
  const envelope = envelopeOf(cloudEvent)
  const { scope = 'room', version = 1, correlationId = envelope.id, time = 0 } = envelope
  return {
    ...envelope,
    time,
    scope: scope as BusEvent['scope'],
    version,
    correlationId,
    data:
      contentType === VALUE_TYPE
        ? decodeValue(JSON.stringify(data), 'devalue', envelope)
        : typeof base64 === 'string'
          ? Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
          : data,
  }
}
