import { useMemo } from 'react'

/**
 * The value of an earlier render, while this one is equal to it by value: lists and options written
 * in place are new objects at each render. For JSON values and dates.
 */
export function useStable<T>(value: T): T {
  const text = JSON.stringify(value)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text stands for the value
  return useMemo(() => value, [text])
}
