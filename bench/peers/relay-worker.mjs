// The relay on workerd: a Durable Object for each room.
import { cloudflareRelay } from '@crosstown/edge-relay/cloudflare'

const { worker, Room } = cloudflareRelay(() => ({}))

export { Room }
export default worker
