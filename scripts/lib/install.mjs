// Installs the dependencies when they are not there, or not those of the lockfile.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { outsideEnv, pinnedNode, root, run, windows } from './project.mjs'

const lockFile = join(root, 'package-lock.json')
const stampFile = join(root, 'node_modules', '.crosstown-installed')

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** What npm says it has installed is what the lockfile asks for (`npm install` was run by hand). */
function installedByHand() {
  const wanted = readJson(lockFile)?.packages
  const present = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages
  if (!wanted || !present) return false
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.includes('node_modules/')) return true
    const found = present[path]
    if (!found) return entry.optional === true || entry.devOptional === true
    return found.version === entry.version && found.integrity === entry.integrity
  })
}

const nodeWorks = async () =>
  existsSync(pinnedNode()) && (await run(pinnedNode(), ['--version'])).code === 0

/** Makes node_modules what package-lock.json says. Ends the process when that is not possible. */
export async function ensureInstalled() {
  const stamp = createHash('sha256')
    .update(readFileSync(lockFile))
    .update(`${process.platform} ${process.arch}`)
    .digest('hex')
  const stamped = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp
  if ((stamped || installedByHand()) && (await nodeWorks())) {
    if (!stamped) writeFileSync(stampFile, stamp)
    return
  }

  const started = Date.now()
  console.log('Installing the dependencies of package-lock.json with npm, Node 24 among them ...')
  // Not `npm ci`: it refuses a lockfile that does not list the binaries of every platform, even of
  // those nobody installs here. This takes the versions of the lockfile too, and leaves it alone.
  const install = () =>
    run('npm', ['install', '--no-save', '--no-audit', '--no-fund'], {
      env: outsideEnv(),
      shell: windows,
    })
  let result = await install()
  if (result.code !== 0) {
    console.log('  npm install failed; trying once more ...')
    result = await install()
  }
  if (result.code !== 0 || !(await nodeWorks())) {
    console.error(result.output)
    console.error(
      result.code === 0
        ? 'npm install ended well, but node_modules/node holds no working Node: were install scripts switched off (ignore-scripts)?'
        : 'npm install failed.',
    )
    process.exit(1)
  }
  writeFileSync(stampFile, stamp)
  console.log(`  done in ${Math.round((Date.now() - started) / 1000)} s.`)
}
