/** What a store has committed, to hold against what a relay sends: nothing leaves before. */
import type { HelloFrame } from '@crosstown/bus/protocol'
import type { RelayEnd, RelayEndEvents } from '@crosstown/bus/testing'
import type { RoomRecord } from '../record.ts'

/** Ids and batches in the store, by room. */
export class Committed {
  readonly violations: string[] = []
  readonly #ids = new Set<string>()
  readonly #batches = new Set<string>()

  add(room: string, records: readonly RoomRecord[]): void {
    for (const record of records) {
      for (const { id } of record.headers) this.#ids.add(`${room} ${id}`)
      this.#batches.add(`${room} ${record.device} ${record.batch}`)
    }
  }

  clear(): void {
    this.#ids.clear()
    this.#batches.clear()
  }

  /** The relay's end of a socket, with what leaves through it looked at. */
  watch(room: string, end: RelayEnd, accept: (end: RelayEnd) => RelayEndEvents): RelayEndEvents {
    let device = ''
    const events = accept({
      get bufferedAmount() {
        return end.bufferedAmount
      },
      send: (text) => {
        this.#look(room, device, text)
        end.send(text)
      },
      close: (code, reason) => end.close(code, reason),
    })
    return {
      onMessage(message) {
        if (typeof message === 'string' && message.startsWith('{"frame":"hello"')) {
          device = (frameOf(message) as HelloFrame).device.id
        }
        events.onMessage(message)
      },
      onClose: () => events.onClose(),
      onDrain: () => events.onDrain(),
    }
  }

  #look(room: string, device: string, text: string): void {
    if (text.startsWith('{"frame":"ack"')) {
      const { batch } = frameOf(text) as { batch: number }
      this.#must(this.#batches, `${room} ${device} ${batch}`, 'acknowledged')
    } else if (text.startsWith('{"frame":"stream"')) {
      const { runs } = frameOf(text) as { runs: StreamRun[] }
      for (const run of runs) {
        if (run.own) this.#must(this.#batches, `${room} ${device} ${run.own.batch}`, 'confirmed')
        for (const { id } of run.events ?? []) this.#must(this.#ids, `${room} ${id}`, 'sent')
      }
    }
  }

  #must(committed: ReadonlySet<string>, key: string, what: string): void {
    if (!committed.has(key)) this.violations.push(`${key} was ${what} before it was committed`)
  }
}

interface StreamRun {
  readonly own?: { readonly batch: number }
  readonly events?: readonly { readonly id: string }[]
}

function frameOf(text: string): unknown {
  const end = text.indexOf('\n')
  return JSON.parse(end < 0 ? text : text.slice(0, end))
}
