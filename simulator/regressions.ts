// Scenarios that once failed, as small as they could be made; what they found is fixed, and stays so.
import type { Scenario } from './scenario.ts'

export interface Regression extends Scenario {
  /** What was wrong, as a sentence about what one saw. */
  readonly found: string
}

export const REGRESSIONS: readonly Regression[] = [
  {
    found:
      'a room restored from an older copy and fed again was taken for the one it had been, because the event of the cursor stood at the same place again',
    seed: 417,
    profile: 'restore',
    partial: [],
    actions: [
      { at: 22, do: 'open', device: 1, slot: 1, kind: 'service-worker' },
      { at: 22, do: 'open', device: 2, slot: 0, kind: 'page' },
      { at: 25, do: 'open', device: 1, slot: 2, kind: 'service-worker' },
      { at: 35, do: 'open', device: 0, slot: 0, kind: 'page' },
      {
        at: 269,
        do: 'publish',
        device: 1,
        slot: 2,
        count: 4,
        scope: 'room',
        persist: true,
        until: 'accepted',
        together: false,
        type: 'fact.stated',
      },
      { at: 2226, do: 'relayRestore', lost: 10 },
      { at: 2398, do: 'relayStart' },
      {
        at: 6760,
        do: 'publish',
        device: 0,
        slot: 0,
        count: 3,
        scope: 'room',
        persist: true,
        until: 'logged',
        together: true,
        type: 'fact.stated',
      },
      {
        at: 9279,
        do: 'publish',
        device: 2,
        slot: 0,
        count: 1,
        scope: 'room',
        persist: true,
        until: 'logged',
        together: false,
        type: 'fact.stated',
      },
      { at: 10113, do: 'open', device: 1, slot: 0, kind: 'page' },
      {
        at: 10289,
        do: 'publish',
        device: 0,
        slot: 0,
        count: 3,
        scope: 'room',
        persist: true,
        until: 'logged',
        together: false,
        type: 'fact.stated',
      },
      { at: 11029, do: 'relayRestore', lost: 4 },
    ],
  },
  {
    found: 'the relay kept a socket for ever whose other end had gone without a word',
    seed: 5,
    profile: 'offline',
    partial: [],
    actions: [
      { at: 90, do: 'open', device: 2, slot: 0, kind: 'page' },
      { at: 11456, do: 'cut', device: 2, silently: true },
    ],
  },
  {
    found: 'what a channel lost was never heard by the other tabs',
    seed: 5,
    profile: 'tabs',
    partial: [0],
    actions: [
      { at: 46, do: 'open', device: 0, slot: 1, kind: 'worker' },
      {
        at: 3417,
        do: 'publish',
        device: 0,
        slot: 1,
        count: 1,
        scope: 'room',
        persist: true,
        until: 'logged',
        together: false,
        type: 'fact.stated',
      },
      { at: 7188, do: 'open', device: 0, slot: 0, kind: 'page' },
      {
        at: 7860,
        do: 'publish',
        device: 0,
        slot: 1,
        count: 2,
        scope: 'room',
        persist: true,
        until: 'handled',
        together: false,
        type: 'fact.stated',
      },
    ],
  },
]
