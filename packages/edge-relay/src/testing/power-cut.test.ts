import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { killRecorded, Recording, STRACE } from './power-cut.ts'

describe.skipIf(!STRACE)('a cut of the power', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'power-cut-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  /** Runs a script of Node in the folder, until it says that it is done, and cuts its power. */
  async function cutAfter(script: string): Promise<void> {
    const recording = await Recording.of(folder)
    const [command, args] = recording.commandOf(process.execPath, [
      '--eval',
      `const fs = require('node:fs')
      const run = async () => { ${script}; console.log('done') }
      run(); setInterval(() => {}, 1e6)`,
    ])
    const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(child, 'close')
    await once(child.stdout, 'data')
    killRecorded(child)
    await ended
    await recording.cut()
  }

  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8')

  it('keeps what was synced, and takes what was only written', async () => {
    await cutAfter(`
      const kept = fs.openSync('kept', 'a')
      fs.writeSync(kept, 'synced '); fs.fdatasyncSync(kept); fs.writeSync(kept, 'and not')
      fs.writeFileSync('never', 'synced')
      const own = fs.openSync('own', fs.constants.O_CREAT | fs.constants.O_WRONLY | fs.constants.O_SYNC)
      fs.writeSync(own, 'by itself')`)
    expect(await read('kept')).toBe('synced ')
    expect(await read('never')).toBe('')
    expect(await read('own')).toBe('by itself')
  })

  it('puts back what was overwritten, shortened and made longer', async () => {
    await writeFile(join(folder, 'over'), 'one two three')
    await writeFile(join(folder, 'shorter'), 'all of it')
    await cutAfter(`
      const over = fs.openSync('over', 'r+')
      fs.writeSync(over, 'ONE', 0); fs.fsyncSync(over)
      fs.writevSync(over, [Buffer.from('TW'), Buffer.from('O')], 4); fs.ftruncateSync(over, 100)
      fs.truncateSync('shorter', 3)`)
    expect(await read('over')).toBe('ONE two three')
    expect(await read('shorter')).toBe('all of it')
  })

  it('knows a file by its new name, and what is removed is gone', async () => {
    await writeFile(join(folder, 'removed'), 'before')
    await cutAfter(`
      const made = fs.openSync('made', 'w')
      fs.writeSync(made, 'first'); fs.fsyncSync(made); fs.renameSync('made', 'named')
      fs.writeSync(made, ' second')
      fs.rmSync('removed')`)
    expect(await readdir(folder)).toEqual(['named'])
    expect(await read('named')).toBe('first')
  })

  it('knows what is synced where others write at the same time', async () => {
    await cutAfter(`
      const { Worker } = require('node:worker_threads')
      const code = "const fs = require('node:fs'); const { workerData } = require('node:worker_threads');" +
        "const file = fs.openSync(workerData, 'a');" +
        "for (let i = 0; i < 300; i++) { fs.writeSync(file, i + ' '); fs.fsyncSync(file) }"
      const workers = ['a', 'b', 'c'].map((name) => new Worker(code, { eval: true, workerData: name }))
      await Promise.all(workers.map((worker) => new Promise((ended) => worker.on('exit', ended))))`)
    const whole = `${Array.from({ length: 300 }, (_, i) => i).join(' ')} `
    for (const name of ['a', 'b', 'c']) expect(await read(name)).toBe(whole)
  })
})
