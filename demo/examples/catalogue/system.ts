import * as z from 'zod'

export const system = {
  'system.started': z.object({ service: z.string(), version: z.string() }),
  'system.stopping': z.object({ service: z.string(), reason: z.string() }),
  'system.config_changed': z.object({ keys: z.array(z.string()).min(1) }),
}
