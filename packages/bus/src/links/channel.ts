/** A BroadcastChannel as the tabs link needs it. */
export interface Channel {
  post(text: string): void
  close(): void | Promise<void>
}

export type NativeChannel = typeof BroadcastChannel

/** Opens a channel; `receive` gets what others post on it, of whatever kind. */
export type OpenChannel = (
  name: string,
  native: NativeChannel,
  receive: (message: unknown) => void,
) => Channel
