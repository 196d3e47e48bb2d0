/** The cart at every moment there was: one frame for each event that changed it. */
import { bus } from '../bus.ts'
import { applyToCart, type Cart, type CartEvent, EMPTY_CART } from '../cart.ts'

export interface Frame {
  readonly event: CartEvent
  /** The cart after it. */
  readonly cart: Cart
}

export const nextFrame = (frames: readonly Frame[], event: CartEvent): Frame => ({
  event,
  cart: applyToCart(frames.at(-1)?.cart ?? EMPTY_CART, event),
})

/** Reads all frames of the log, in the order of the room: the same on every device. */
export async function readFrames(
  signal: AbortSignal,
  onProgress: (part: number) => void,
): Promise<readonly Frame[]> {
  const frames: Frame[] = []
  const reading = bus.replay({
    pattern: 'cart.*',
    order: 'room',
    signal,
    onProgress: ({ done, total }) => onProgress(total === 0 ? 1 : done / total),
  })
  for await (const event of reading) frames.push(nextFrame(frames, event))
  return frames
}
