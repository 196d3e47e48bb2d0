// Configured by variables and secrets alone; see docs/runtimes.md. For an auth function of your own,
// call `cloudflareRelay` instead.
export { default, Room } from '@crosstown/edge-relay/cloudflare'
