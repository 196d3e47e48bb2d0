/** Icons as lines in the colour of the text around them. All are decoration: words say the same. */
import type { ReactNode } from 'react'

function Icon({ children, size = 24 }: { children: ReactNode; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.5}
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      {children}
    </svg>
  )
}

/** Two streets across two others, and something on its way. */
export const Mark = () => (
  <svg aria-hidden="true" className="mark" width="36" height="36" viewBox="0 0 32 32" fill="none">
    <path d="M4 11h24M4 21h24M11 4v24M21 4v24" />
    <circle cx="21" cy="11" r="4" />
  </svg>
)

export const CheckIcon = () => (
  <Icon size={16}>
    <path d="m5 12.5 4.5 4.5L19 7.5" strokeWidth={2.5} />
  </Icon>
)

export const LinkIcon = () => (
  <Icon size={18}>
    <path d="M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-.8.7M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l.8-.7" />
  </Icon>
)

export const BasketIcon = () => (
  <Icon size={32}>
    <path d="M4 10h16l-1.6 8.4a2 2 0 0 1-2 1.6H7.6a2 2 0 0 1-2-1.6L4 10Zm4 0 3-6m5 6-3-6M9.5 13.5v3m5-3v3" />
  </Icon>
)

export const ReceiptIcon = () => (
  <Icon size={32}>
    <path d="M6 3.5h12V21l-2.4-1.5L13.2 21 12 20l-1.2 1-2.4-1.5L6 21V3.5ZM9 8h6m-6 4h6" />
  </Icon>
)

export const PulseIcon = () => (
  <Icon size={32}>
    <path d="M3 12h4l2.5-6 5 12L17 12h4" />
  </Icon>
)

const PRODUCTS: Readonly<Record<string, ReactNode>> = {
  bread: (
    <path d="M4 11.5C4 8 7.5 6 12 6s8 2 8 5.5c0 1.2-.6 2-1.5 2.5V18H5.5v-4C4.6 13.5 4 12.7 4 11.5ZM9 9.5l-1 2.5m4.5-2.8-1 2.8m4.5-2.5-1 2.5" />
  ),
  coffee: (
    <path d="M5 9h11v6a4 4 0 0 1-4 4H9a4 4 0 0 1-4-4V9Zm11 1.5h1.5a2.5 2.5 0 0 1 0 5H16M8.5 6V4.5M12.5 6V4.5" />
  ),
  milk: <path d="M8 3.5h8V7l2 3.5V20.5H6V10.5L8 7V3.5ZM8 7h8M6 11h12" />,
  honey: (
    <path d="M8 4h8M7.5 7h9M7.5 7C6 8 5 9.5 5 11.5v6A2.5 2.5 0 0 0 7.5 20h9a2.5 2.5 0 0 0 2.5-2.5v-6C19 9.5 18 8 16.5 7M5 12.5h14M5 16.5h14" />
  ),
  oil: <path d="M10.5 3.5h3V8l3 3.5v9h-9v-9l3-3.5V3.5ZM7.5 13.5h9m-9 4h9" />,
  tea: <path d="M5 19C4 11 9 5 19 5c.5 9-4.5 14.5-12 12.5M5 19c1.5-4 4.5-7 8.5-9" />,
}

export const ProductIcon = ({ sku }: { sku: string }) => <Icon>{PRODUCTS[sku]}</Icon>
