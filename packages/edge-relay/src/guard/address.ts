/** Whom a request comes from, as far as the network says it. */

/**
 * What a request is counted by: an IPv4 address, or the 64 bits that an IPv6 network is given, in
 * which addresses can be chosen freely. Behind proxies that add to `X-Forwarded-For` it is what the
 * outermost of them saw: what stands further left, whoever sends the request may have written.
 *
 * @param socket the address at the other end of the connection
 * @param proxies how many proxies stand before the relay
 * @returns `undefined` where nobody is to be counted: the address is not known, or is this machine's
 * own and no proxy is said to be there
 */
export function addressOf(
  socket: string | undefined,
  forwarded: string | undefined,
  proxies: number,
): string | undefined {
  const own = networkOf(socket)
  if (proxies === 0) return own !== undefined && isOwnMachine(own) ? undefined : own
  const [outermost] = forwarded?.split(',').slice(-proxies) ?? []
  return networkOf(outermost?.trim()) ?? own
}

function networkOf(address: string | undefined): string | undefined {
  if (address === undefined || address.length > 64) return undefined
  const v4 = /^(?:::ffff:)?(\d{1,3}(?:\.\d{1,3}){3})(?::\d+)?$/i.exec(address)?.[1]
  if (v4 !== undefined) return v4
  const v6 = /^\[?([\da-f:]*:[\da-f:]*)(?:%[\w.-]+)?(?:\](?::\d+)?)?$/i.exec(address)?.[1]
  if (v6 === undefined || v6 === '::1') return v6
  const [head = '', tail] = v6.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  while (tail !== undefined && groups.length + after.length < 8) groups.push('0')
  const network = [...groups, ...after].slice(0, 4).map((group) => Number.parseInt(group, 16))
  return `${network.map((group) => group.toString(16)).join(':')}::/64`
}

function isOwnMachine(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}
