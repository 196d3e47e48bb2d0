// How a Chromium is started by Vitest, Playwright and the benchmarks alike.

/** The one the commands found; undefined = Playwright's own. */
export const chromiumPath: string | undefined = process.env.CROSSTOWN_CHROMIUM || undefined

const quiet = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Chromium refuses to start as root with its sandbox on. */
const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : []

export const chromiumLaunch: { executablePath?: string; args: string[] } = {
  ...(chromiumPath === undefined ? {} : { executablePath: chromiumPath }),
  args: [...asRoot, ...quiet],
}
