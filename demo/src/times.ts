const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })
const dayAndClock = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })

/** 14:03:07, on this device's clock. */
export const clockTime = (time: number): string => clock.format(time)

/** 21 Nov 2026, 14:03:07. */
export const dateTime = (time: number): string => dayAndClock.format(time)

/** `320 ms` or `1.4 s`. */
export const span = (ms: number): string =>
  ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
