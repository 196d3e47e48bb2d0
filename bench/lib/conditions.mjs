// Under which conditions the numbers were taken.
import { readFileSync } from 'node:fs'
import { cpus, loadavg, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { root } from '../../scripts/lib/project.mjs'
import { chromiumVersion } from './pages.mjs'

/** Before anything was measured: what else the machine was doing. */
const loadBefore = loadavg()[0]

const peers = ['mitt', 'emittery', 'dexie', 'idb', 'ws', 'socket.io']

/** Machine, versions and command, as lines. */
export async function conditions(command) {
  const processors = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return [
    `command   ${command}`,
    `machine   ${processors[0]?.model.trim()}, ${processors.length} cores, ${memory} GiB, ${platform()} ${release()}`,
    `versions  Node ${process.versions.node}, Chromium ${chromiumVersion() ?? 'not used'}, ` +
      [['bus', 'packages/bus'], ...peers.map((name) => [name, `node_modules/${name}`])]
        .map(([name, folder]) => `${name} ${versionIn(folder)}`)
        .join(', '),
    `load      ${loadBefore.toFixed(1)} before the run`,
    `date      ${new Date().toISOString()}`,
  ].join('\n')
}

function versionIn(folder) {
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')).version
}
