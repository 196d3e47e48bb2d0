import * as z from 'zod'

/** Parts of an application that come and go: plugins, lazy bundles, micro frontends. */
export const modules = {
  'module.loaded': z.object({ name: z.string(), version: z.string() }),
  'module.failed': z.object({ name: z.string(), message: z.string() }),
  'module.unloaded': z.object({ name: z.string() }),
}
