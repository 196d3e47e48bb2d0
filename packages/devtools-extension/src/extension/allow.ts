/** A page of its own, in which Firefox lets the extension ask for a site. */
import { askFor, coverAllowedSites, runIn } from './allowed.ts'

const query = new URLSearchParams(location.search)
const sites = query.getAll('site')
const named = document.querySelector('#site') as HTMLOutputElement
named.value = sites.map((site) => site.replace(/\/\*$/, '')).join(', ')
document.querySelector('#enable')?.addEventListener('click', async () => {
  if (!(await askFor(sites))) return
  await coverAllowedSites()
  await runIn(Number(query.get('tab')))
  close()
})
