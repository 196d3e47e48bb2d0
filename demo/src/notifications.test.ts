import { expect, test } from 'vitest'
import { applyToNotifications, NO_NOTIFICATIONS } from './notifications.ts'

test('what was seen is not new any more, and what came afterwards is', () => {
  const types = ['order.confirmed', 'order.failed', 'notification.seen', 'order.confirmed'] as const
  expect(types.map((type) => ({ type })).reduce(applyToNotifications, NO_NOTIFICATIONS)).toEqual({
    total: 3,
    unread: 1,
  })
})
