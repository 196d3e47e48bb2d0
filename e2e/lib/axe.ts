/** What axe finds in a page. Frames are left out: what is in one is a page of its own, and looked at as one. */
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from '@playwright/test'

/** A line for each element that breaks a rule. `within` is a selector. */
export async function findings(page: Page, within = 'html'): Promise<string[]> {
  // The other mode opens a page of its own for each look, to put frames together.
  const axe = new AxeBuilder({ page }).include(within).exclude('iframe').setLegacyMode()
  const { violations } = await axe.analyze()
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
}
