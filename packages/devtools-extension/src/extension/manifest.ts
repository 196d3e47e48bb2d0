/** What the browsers are told. Everything here is shown to whoever installs or reviews it. */

/** Sites of this machine: those that are being developed. */
export const LOCAL_SITES: readonly string[] = [
  'http://localhost/*',
  'http://127.0.0.1/*',
  'http://[::1]/*',
]

export const CONTENT_SCRIPT = 'content.js'

const icons = { 16: 'icons/16.png', 32: 'icons/32.png', 48: 'icons/48.png', 128: 'icons/128.png' }

export function manifest(browser: 'chromium' | 'firefox', version: string): object {
  return {
    manifest_version: 3,
    name: 'Crosstown',
    version,
    description:
      'Shows every event of a Crosstown bus, in every tab, worker, server and device, and why it did or did not arrive.',
    icons,
    devtools_page: 'devtools.html',
    content_scripts: [
      {
        matches: LOCAL_SITES,
        js: [CONTENT_SCRIPT],
        all_frames: true,
        match_origin_as_fallback: true,
        run_at: 'document_start',
      },
    ],
    // For a site that the user allows in the panel, and nothing before.
    optional_host_permissions: ['*://*/*'],
    optional_permissions: ['scripting'],
    content_security_policy: { extension_pages: policy },
    ...(browser === 'chromium' ? chromium : firefox),
  }
}

/** The panel shows texts of strangers: it runs and loads nothing but its own, and dials relays. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  'connect-src ws: wss:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

const chromium = {
  // Ports end when a page goes into the back/forward cache, and do not keep it out.
  minimum_chrome_version: '123',
}

const firefox = {
  background: { scripts: ['router.js'] },
  browser_specific_settings: {
    gecko: {
      id: 'devtools@crosstown.dev',
      strict_min_version: '142.0',
      data_collection_permissions: { required: ['none'] },
    },
  },
}
