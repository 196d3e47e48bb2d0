/** What a customer has not looked at yet: orders that were confirmed, or failed. Pure. */
import type { EventOf } from '@crosstown/bus'
import type { Shop } from './events.ts'

export interface Notifications {
  readonly total: number
  readonly unread: number
}

export const NOTIFICATION_TYPES = ['order.confirmed', 'order.failed', 'notification.seen'] as const

type NotificationEvent = EventOf<Shop, (typeof NOTIFICATION_TYPES)[number]>

export const NO_NOTIFICATIONS: Notifications = { total: 0, unread: 0 }

export const applyToNotifications = (
  { total, unread }: Notifications,
  { type }: Pick<NotificationEvent, 'type'>,
): Notifications =>
  type === 'notification.seen' ? { total, unread: 0 } : { total: total + 1, unread: unread + 1 }
