const format = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })

/** 14:03:07, on this device's clock. */
export const clockTime = (time: number): string => format.format(time)
