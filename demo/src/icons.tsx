/** Icons as lines in the colour of the text around them. All are decoration: words say the same. */
import type { ReactNode } from 'react'

function Icon({ children, size = 20 }: { children: ReactNode; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.6}
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      {children}
    </svg>
  )
}

/** Two streets across two others, and something on its way. */
export const Mark = () => (
  <svg aria-hidden="true" className="mark" width="34" height="34" viewBox="0 0 32 32" fill="none">
    <path d="M4 11h24M4 21h24M11 4v24M21 4v24" />
    <circle cx="21" cy="11" r="5" />
  </svg>
)

export const CheckIcon = () => (
  <Icon size={14}>
    <path d="m5 12.5 4.5 4.5L19 7.5" strokeWidth={3} />
  </Icon>
)

export const CrossIcon = () => (
  <Icon size={14}>
    <path d="m6.5 6.5 11 11m0-11-11 11" strokeWidth={3} />
  </Icon>
)

export const UndoIcon = () => (
  <Icon size={14}>
    <path d="M8.5 5 4.5 9l4 4M5 9h9a5 5 0 0 1 0 10h-3" strokeWidth={2.6} />
  </Icon>
)

export const LinkIcon = () => (
  <Icon size={18}>
    <path d="M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-.8.7M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l.8-.7" />
  </Icon>
)

export const BellIcon = () => (
  <Icon>
    <path d="M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15l1.5-2ZM10 21h4" />
  </Icon>
)

export const BasketIcon = ({ size = 20 }: { size?: number }) => (
  <Icon size={size}>
    <path d="M4 10h16l-1.6 8.4a2 2 0 0 1-2 1.6H7.6a2 2 0 0 1-2-1.6L4 10Zm4 0 3-6m5 6-3-6M9.5 13.5v3m5-3v3" />
  </Icon>
)

export const ReceiptIcon = () => (
  <Icon size={36}>
    <path d="M6 3.5h12V21l-2.4-1.5L13.2 21 12 20l-1.2 1-2.4-1.5L6 21V3.5ZM9 8h6m-6 4h6" />
  </Icon>
)

export const PulseIcon = () => (
  <Icon size={36}>
    <path d="M3 12h4l2.5-6 5 12L17 12h4" />
  </Icon>
)

export const ClockIcon = () => (
  <Icon size={36}>
    <path d="M4 12a8 8 0 1 0 2.6-5.9M4 4v4h4m4-.5V12l3 2" />
  </Icon>
)

export const SunIcon = () => (
  <Icon>
    <path d="M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2.5v2m0 15v2m9.5-9.5h-2m-15 0h-2m16.2-6.7-1.4 1.4M6.7 17.3l-1.4 1.4m13.4 0-1.4-1.4M6.7 6.7 5.3 5.3" />
  </Icon>
)

export const MoonIcon = () => (
  <Icon>
    <path d="M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z" />
  </Icon>
)

export const PlusIcon = () => (
  <Icon size={18}>
    <path d="M12 5v14M5 12h14" strokeWidth={2} />
  </Icon>
)

export const MinusIcon = () => (
  <Icon size={18}>
    <path d="M5 12h14" strokeWidth={2} />
  </Icon>
)

export const ChevronIcon = () => (
  <Icon size={16}>
    <path d="m6 15 6-6 6 6" strokeWidth={2} />
  </Icon>
)

export const PlayIcon = () => (
  <Icon size={16}>
    <path d="M7 4.5v15l12-7.5-12-7.5Z" fill="currentColor" />
  </Icon>
)

export const PauseIcon = () => (
  <Icon size={16}>
    <path d="M8 5v14M16 5v14" strokeWidth={4} />
  </Icon>
)

export const CrownIcon = () => (
  <Icon size={16}>
    <path d="m4 8 4 4 4-7 4 7 4-4-1.5 11h-13L4 8Z" fill="currentColor" />
  </Icon>
)

export const TabIcon = () => (
  <Icon size={16}>
    <path d="M3.5 5.5h17v13h-17v-13Zm0 4h17" strokeWidth={2} />
  </Icon>
)

export const GearIcon = () => (
  <Icon size={16}>
    <path
      d="M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6Zm0-6v3m0 12v3m9-9h-3M6 12H3m15.4-6.4-2.1 2.1M7.7 16.3l-2.1 2.1m12.8 0-2.1-2.1M7.7 7.7 5.6 5.6"
      strokeWidth={2}
    />
  </Icon>
)

export const ServerIcon = () => (
  <Icon size={16}>
    <path d="M4 4.5h16v6H4v-6Zm0 9h16v6H4v-6Zm3.5-6h.5m-.5 9H8" strokeWidth={2} />
  </Icon>
)

export const TrayIcon = () => (
  <Icon size={16}>
    <path d="M12 15V4m0 0L8 8m4-4 4 4M4 14v5h16v-5" strokeWidth={2} />
  </Icon>
)

export const DiskIcon = () => (
  <Icon size={16}>
    <path
      d="M4 6.5C4 5 7.6 4 12 4s8 1 8 2.5S16.4 9 12 9 4 8 4 6.5Zm0 0v11C4 19 7.6 20 12 20s8-1 8-2.5v-11M4 12c0 1.5 3.6 2.5 8 2.5s8-1 8-2.5"
      strokeWidth={2}
    />
  </Icon>
)
