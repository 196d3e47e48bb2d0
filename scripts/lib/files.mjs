// Lists files without dependencies (fs.globSync is not in Node 20).
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './project.mjs'

const skipped = new Set(['node_modules', 'dist', '.git', '.crosstown', 'test-results'])

/** The files below these folders of the repository, as paths with forward slashes. */
export function filesUnder(folders, base = root) {
  const found = []
  const walk = (folder) => {
    let entries = []
    try {
      entries = readdirSync(join(base, folder), { withFileTypes: true })
    } catch {
      return
    }
    for (const entry of entries) {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        if (!skipped.has(entry.name)) walk(path)
      } else found.push(path)
    }
  }
  for (const folder of folders) walk(folder)
  return found.sort()
}
