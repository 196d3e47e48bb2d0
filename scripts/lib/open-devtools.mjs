// Opens an address in a Chromium with the extension, with DevTools at its panel; ends with the browser.
//   node scripts/lib/open-devtools.mjs ADDRESS [--headless]
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launchWithExtension, openPanel } from './devtools-browser.ts'

const [address, ...flags] = process.argv.slice(2)
const profile = await mkdtemp(join(tmpdir(), 'crosstown-devtools-'))
const headless = flags.includes('--headless')
const { context, origin } = await launchWithExtension({ profile, headless })
const closed = new Promise((resolve) => context.once('close', resolve))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => context.close())
try {
  const page = context.pages()[0] ?? (await context.newPage())
  await page.goto(address)
  await openPanel(context, page, origin)
  console.log('DevTools are open at the panel.')
  await closed
} finally {
  await context.close()
  await rm(profile, { recursive: true, force: true, maxRetries: 10 })
}
