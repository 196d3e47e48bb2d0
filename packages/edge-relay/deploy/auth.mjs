// The `--auth` of the files beside this one: tokens are JSON Web Tokens, and whose they are is said by
// the variables that the Worker for Cloudflare has as well. For an auth function of your own, export it
// in place of this one.
import process from 'node:process'
import { optionsOfEnv } from '@crosstown/edge-relay/cloudflare'

const { auth } = optionsOfEnv(process.env)
if (!auth) {
  const keys = 'CROSSTOWN_JWT_JWKS, CROSSTOWN_JWT_PUBLIC_KEY or CROSSTOWN_JWT_SECRET'
  throw new Error(`set ${keys}, with CROSSTOWN_JWT_ISSUER and CROSSTOWN_JWT_AUDIENCE`)
}
export default auth
