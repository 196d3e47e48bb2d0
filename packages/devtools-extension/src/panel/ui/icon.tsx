/** Drawings of 16 by 16. They stand beside text, or beside a text only screen readers are told. */
import type { ReactNode } from 'react'

export const LINES = {
  out: 'M3 8h9M8.5 4.5 12 8l-3.5 3.5',
  in: 'M13 8H4M7.5 4.5 4 8l3.5 3.5',
  check: 'M3.5 8.5 6.5 11.5 12.5 5',
  cross: 'M4.5 4.500l7 7M11.5 4.500l-7 7',
  partial: 'M8 2.500a5.5 5.5 0 1 0 0 11zM8 2.500a5.5 5.5 0 0 1 0 11',
  clock: 'M8 2.500a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M8 5v3.200l2 1.3',
  error: 'M5.5 2.500h5l3 3v5l-3 3h-5l-3-3v-5zM8 5v3.500M8 11v.01',
  warning: 'M8 2.5 14 13H2zM8 6.500v3M8 11.300v.01',
  info: 'M8 2.500a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M8 7.500v3.500M8 5v.01',
  gap: 'M2 5.500h4M10 5.500h4M2 10.500h4M10 10.500h4M7 13l2-10',
  crown: 'M2.5 5l2.5 3 3-4.500L11 8l2.5-3-1 7.500h-9z',
  link: 'M6.5 9.500l3-3M7 4.500l1.5-1.500a2.8 2.8 0 0 1 4 4L11 8.500M9 11.5 7.5 13a2.8 2.8 0 0 1-4-4L5 7.5',
  person:
    'M8 3a2.3 2.3 0 1 0 0 4.600A2.3 2.3 0 1 0 8 3M3.5 13c.5-2.5 2.2-3.7 4.5-3.700s4 1.2 4.5 3.7',
  life: 'M1.5 8.500h3l2-5 3 9 2-4h3',
  flag: 'M4 14V2.500M4 3h8l-2 3 2 3H4',
  pause: 'M5.5 3.500v9M10.5 3.500v9',
  play: 'M5 3.5 12 8l-7 4.500z',
  clear: 'M8 2.500a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M4.2 4.200l7.6 7.6',
  tail: 'M8 2.500v8M4.5 7.5 8 11l3.5-3.500M3.5 13.500h9',
  keep: 'M4 2.500h8v11L8 10.500l-4 3z',
  filter: 'M2.5 3.500h11L9.5 8.500v4.500l-3-1.500v-3z',
  settings: 'M2.5 4.500h6M11.5 4.500h2M2.5 11.500h2M7.5 11.500h6M10 3v3M6 10v3',
  help: 'M8 2.500a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M6.3 6.500c0-2.2 3.5-2.2 3.5 0 0 1.3-1.8 1.3-1.8 2.700M8 11.300v.01',
  unknown: 'M5.8 5.800c0-3 4.400-3 4.400 0 0 1.800-2.200 1.700-2.200 3.700M8 12.300v.01',
  star: 'M8 2.500l1.700 3.500 3.800.5-2.800 2.700.7 3.800L8 11.200 4.600 13l.7-3.800L2.500 6.500l3.800-.5z',
  close: 'M4 4l8 8M12 4l-8 8',
  more: 'M8 3.500v.01M8 8v.01M8 12.500v.01',
  down: 'M4.5 6.5 8 10l3.5-3.5',
  right: 'M6.5 4.5 10 8l-3.5 3.5',
  left: 'M9.5 4.5 6 8l3.5 3.5',
  copy: 'M5.5 5.500v-3h8v8h-3M2.5 5.500h8v8h-8z',
  search: 'M7 2.500a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M10.3 10.300l3.2 3.2',
  send: 'M2.5 3 13.5 8l-11 5 2-5zM4.5 8h5',
  import: 'M8 2.500v7.500M4.5 7 8 10.5 11.5 7M2.5 13.500h11',
  export: 'M8 10.500V3M4.5 6 8 2.5 11.5 6M2.5 13.500h11',
  plug: 'M6 2.500v3M10 2.500v3M4 5.500h8v2.500a4 4 0 0 1-8 0zM8 12v2',
  dock: 'M2.5 3.500h11v9h-11zM9.5 3.500v9',
  record:
    'M8 2.500a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M8 5.500a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5',
  lock: 'M4 7.500h8v6H4zM5.5 7.500v-2a2.5 2.5 0 0 1 5 0v2',
  repeat: 'M3 7a5 5 0 0 1 9-2l1 1M13 3v3h-3M13 9a5 5 0 0 1-9 2l-1-1M3 13v-3h3',
} as const

export type IconName = keyof typeof LINES

interface IconProps {
  readonly name: IconName
  /** What it says, where no text beside it does. */
  readonly label?: string
  readonly className?: string
}

export function Icon({ name, label, className }: IconProps): ReactNode {
  return (
    <>
      <svg
        className={className === undefined ? 'icon' : `icon ${className}`}
        viewBox="0 0 16 16"
        aria-hidden="true"
      >
        <path d={LINES[name]} />
      </svg>
      {label !== undefined && <span className="unseen">{label}</span>}
    </>
  )
}
