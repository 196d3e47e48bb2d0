/** SHA-256 of a text, in base64url without padding: 43 characters. */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return btoa(String.fromCharCode(...new Uint8Array(digest)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
}

/**
 * Id of an event whose publisher has no device: the same for the same subject, source and own id,
 * so that a second sending of it is recognised.
 */
export async function ownEventId(subject: string, source: string, ownId: string): Promise<string> {
  return `h-${(await sha256(JSON.stringify([subject, source, ownId]))).slice(0, 22)}`
}
