type Numbers =
  | Int32Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>

/** A copy with room for `size`, the rest 0. */
export function grown<T extends Numbers>(array: T, size: number): T {
  const Kind = array.constructor as new (size: number) => T
  const larger = new Kind(size)
  larger.set(array)
  return larger
}
