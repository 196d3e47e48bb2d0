// The bus as it would be without its tap: the same build, with every look at the tap taken out. Both
// are bundled alike, so that nothing else differs.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { root } from '../../scripts/lib/project.mjs'

/** `taps.tap` where it is read; a stage has it by some name or other that ends so. */
const READ = /(?:this\.)?(?:#options\.|options\.)?#?taps\.tap\b(?!\s*=[^=])/g
const TAKEN = /const \{ tap \} = [^;]*taps;/g
const OF_THE_BUS = /packages\/bus\/dist\/.*[.]js$/
const OF_THE_TAP = /\/inspect\/[a-z-]+[.]js$/

/** @returns the two modules, and how many looks were taken out */
export async function bothBuilds() {
  const folder = await mkdtemp(join(root, 'node_modules/.cache/crosstown-untapped-'))
  try {
    let removed = 0
    const untap = {
      name: 'untap',
      setup({ onLoad }) {
        onLoad({ filter: OF_THE_BUS }, async ({ path }) => {
          if (OF_THE_TAP.test(path)) return undefined
          const text = await readFile(path, 'utf8')
          const instead = (what) => () => {
            removed += 1
            return what
          }
          const contents = text
            .replace(TAKEN, instead('const tap = undefined;'))
            .replace(READ, instead('undefined'))
          return { contents, loader: 'js' }
        })
      },
    }
    const [tapped, untapped] = await Promise.all(
      [[], [untap]].map(async (plugins, nth) => {
        const { outputFiles } = await build({
          stdin: { contents: "export { createBus } from '@crosstown/bus'", resolveDir: root },
          bundle: true,
          minify: true,
          format: 'esm',
          platform: 'node',
          target: 'node24',
          write: false,
          plugins,
        })
        const path = join(folder, `${nth}.mjs`)
        await writeFile(path, outputFiles[0].contents)
        return import(pathToFileURL(path).href)
      }),
    )
    return { tapped, untapped, removed }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
