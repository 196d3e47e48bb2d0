import { useEffect, useState } from 'react'
import { room } from '../bus.ts'
import { CheckIcon, LinkIcon } from '../icons.tsx'
import { randomRoom, roomLink } from '../room.ts'

const SAID_FOR_MS = 2_500
const WORDS = { idle: 'Copy link', copied: 'Copied', failed: 'Copy the address' } as const

/** The room, and how to bring another device into it. */
export function RoomBar() {
  const [copy, setCopy] = useState<keyof typeof WORDS>('idle')

  useEffect(() => {
    if (copy === 'idle') return
    const timer = setTimeout(() => setCopy('idle'), SAID_FOR_MS)
    return () => clearTimeout(timer)
  }, [copy])

  async function copyLink() {
    try {
      await navigator.clipboard.writeText(roomLink(location.href, room))
      setCopy('copied')
    } catch {
      setCopy('failed') // no clipboard on plain http, or it was not allowed
    }
  }

  return (
    <section className="room" aria-label="Room">
      <p>
        Room <strong data-testid="room">{room}</strong>
      </p>
      <button
        type="button"
        className="button copy-link"
        onClick={copyLink}
        title="Open it on another device"
        data-testid="copy-link"
      >
        {copy === 'copied' ? <CheckIcon /> : <LinkIcon />}
        <span aria-live="polite">{WORDS[copy]}</span>
      </button>
      <button
        type="button"
        className="button quiet"
        onClick={() => location.assign(roomLink(location.href, randomRoom()))}
        data-testid="new-room"
      >
        New room
      </button>
    </section>
  )
}
