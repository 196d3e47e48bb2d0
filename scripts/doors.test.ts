// What each entry point of a package loads, as it is built: nothing that its users have not installed.
import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')

/** Peers that may be missing, and the doors that need them. */
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  './react': ['react'],
  './testing/playwright': ['@playwright/test'],
}

/** Names of packages that a built module imports, with all that it loads of its own package. */
function loadedBy(file: string, seen: Set<string> = new Set()): Set<string> {
  const names = new Set<string>()
  if (seen.has(file)) return names
  seen.add(file)
  const text = readFileSync(file, 'utf8')
  const imports =
    /^(?:import|export)\b(?:[^'"\n;]*?\bfrom)?\s*['"]([^'"]+)['"]|\bimport\(['"]([^'"]+)['"]\)/gm
  for (const [, fixed, lazy] of text.matchAll(imports)) {
    const target = (fixed ?? lazy) as string
    if (target.startsWith('.')) {
      for (const name of loadedBy(join(dirname(file), target), seen)) names.add(name)
    } else if (!isBuiltin(target) && !target.startsWith('#')) {
      names.add(/^(@[^/]+[/])?[^/]+/.exec(target)?.[0] as string)
    }
  }
  return names
}

describe.each(['bus', 'edge-relay'])('packages/%s', (name) => {
  const folder = join(root, 'packages', name)
  const { exports, dependencies } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as {
    exports: Record<string, { default: string }>
    dependencies: Record<string, string>
  }
  const doors = Object.entries(exports).filter(([door]) => door !== './package.json')

  it.each(doors)('%s loads what is installed with the package only', (door, { default: file }) => {
    const allowed = new Set([...Object.keys(dependencies), ...(NEEDS[door] ?? [])])
    const loaded = loadedBy(join(folder, file))
    expect([...loaded].filter((one) => !allowed.has(one))).toEqual([])
    for (const peer of NEEDS[door] ?? []) expect(loaded).toContain(peer)
  })
})
