/**
 * The panel as a page, for what no extension is at hand: a relay serves it at `/inspector`, and from
 * a disk it opens session files.
 */
import { browserEnv } from '../panel/browser.ts'
import { mount } from '../panel/main.tsx'

mount(document.querySelector('#panel') as Element, { sources: [], env: browserEnv() })
