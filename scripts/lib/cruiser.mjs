// Runs dependency-cruiser with the rules of .dependency-cruiser.mjs. Needs the pinned Node.
// dependency-cruiser reads .ts files with TypeScript's JavaScript API, which TypeScript 7 no longer
// has: the repository is compiled by 7, and this folder's package.json holds a 6 for the cruiser.
import { createRequire, registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import rules from '../../.dependency-cruiser.mjs'

const { resolve } = createRequire(import.meta.url)

registerHooks({
  resolve(specifier, context, next) {
    const forCruiser = context.parentURL?.includes('/node_modules/dependency-cruiser/')
    if (!forCruiser || !/^typescript(\/|$)/.test(specifier)) return next(specifier, context)
    return { url: pathToFileURL(resolve(specifier)).href, shortCircuit: true }
  },
})

const { cruise, allExtensions } = await import('dependency-cruiser')

/**
 * Cruises folders of the repository at `baseDir`.
 * @param {string} baseDir
 * @param {string[]} folders
 * @returns {Promise<{ violations: { rule: string, from: string, to: string }[], modules: string[] }>}
 */
export async function checkImports(baseDir, folders) {
  if (!allExtensions.some(({ extension, available }) => extension === '.ts' && available)) {
    throw new Error('dependency-cruiser found no TypeScript it can use; .ts files would be ignored')
  }
  const { options, forbidden } = rules
  const { enhancedResolveOptions, ...cruiseOptions } = options
  const { output } = await cruise(
    folders,
    { ...cruiseOptions, baseDir, validate: true, ruleSet: { forbidden } },
    { ...enhancedResolveOptions, bustTheCache: true },
  )
  const { modules, summary } = output
  const violations = summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to }))
  return { violations, modules: modules.map(({ source }) => source) }
}
