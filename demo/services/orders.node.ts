/** The orders service, on Node. */
import { takeOrders } from './orders.ts'
import { joinRooms } from './rooms.ts'

joinRooms('orders-service', takeOrders)
