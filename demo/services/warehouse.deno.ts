/** The warehouse, on Deno: the same bus and the same imports. */
import { joinRooms } from './rooms.ts'
import { runWarehouse } from './warehouse.ts'

joinRooms('warehouse-service', runWarehouse)
