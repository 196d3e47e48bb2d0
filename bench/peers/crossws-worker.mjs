// The same on workerd: one Durable Object for the room.
import { DurableObject } from 'cloudflare:workers'
import adapter from 'crossws/adapters/cloudflare'
import { hooks } from './crossws-hooks.mjs'

const ws = adapter({ bindingName: 'ROOMS', instanceName: 'room', hooks })

export default {
  fetch: (request, env, context) => ws.handleUpgrade(request, env, context),
}

export class Room extends DurableObject {
  constructor(state, env) {
    super(state, env)
    ws.handleDurableInit(this, state, env)
  }

  fetch(request) {
    return ws.handleDurableUpgrade(this, request)
  }

  webSocketMessage(client, message) {
    return ws.handleDurableMessage(this, client, message)
  }

  webSocketClose(client, code, reason, wasClean) {
    return ws.handleDurableClose(this, client, code, reason, wasClean)
  }
}
