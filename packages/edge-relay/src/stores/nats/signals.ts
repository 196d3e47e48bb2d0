/** Signals as messages of NATS, of which none may be longer than the server takes. */
import type { Signal } from '../engine/driver.ts'

/** Each begins with who says it, of which room, and which piece of how many it is. */
export function piecesOf({ node, room, text }: Signal, most: number): Uint8Array[] {
  const bytes = Buffer.from(text)
  const count = Math.max(1, Math.ceil(bytes.length / most))
  return Array.from({ length: count }, (_, i) =>
    Buffer.concat([
      Buffer.from(`${node}\n${room}\n${i}/${count}\n`),
      bytes.subarray(i * most, (i + 1) * most),
    ]),
  )
}

interface Begun {
  readonly room: string
  readonly pieces: Uint8Array[]
}

/** Puts pieces together; those of one node come in order, and with one missing the signal is lost. */
export class Pieces {
  readonly #begun = new Map<string, Begun>()

  take(piece: Uint8Array): Signal | undefined {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    let at = 0
    const line = (): string => {
      const end = bytes.indexOf('\n', at)
      const text = bytes.toString('utf8', at, end)
      at = end + 1
      return text
    }
    const [node, room, number] = [line(), line(), line()]
    const [index = 0, count = 0] = number.split('/').map(Number)
    const begun = index === 0 ? { room, pieces: [] } : this.#begun.get(node)
    this.#begun.delete(node)
    if (!begun || begun.room !== room || begun.pieces.length !== index) return undefined
    begun.pieces.push(bytes.subarray(at))
    if (begun.pieces.length === count)
      return { node, room, text: Buffer.concat(begun.pieces).toString() }
    this.#begun.set(node, begun)
    return undefined
  }
}
