import { useEffect, useState } from 'react'
import { room } from '../bus.ts'
import { CheckIcon, LinkIcon } from '../icons.tsx'
import { randomRoom, roomLink } from '../room.ts'

const SAID_FOR_MS = 2_500
const WORDS = { idle: 'Copy link', copied: 'Copied', failed: 'Copy it by hand' } as const

/** The room, and how to bring another tab or device into it. */
export function Share() {
  const link = roomLink(location.href, room)
  const devices = new URL(`devices.html?room=${encodeURIComponent(room)}`, document.baseURI).href
  return (
    <>
      <button type="button" className="button" popoverTarget="share" data-testid="share">
        <LinkIcon />
        <span className="share-word">Share cart</span>
      </button>
      <section id="share" popover="auto" className="share" aria-label="Share this cart">
        <h2>One cart, many devices</h2>
        <p>
          Whoever opens this link shops along, in the room{' '}
          <strong data-testid="room">{room}</strong>.
        </p>
        <div className="share-link">
          <input
            className="input"
            readOnly
            value={link}
            aria-label="Link to this room"
            onFocus={(event) => event.target.select()}
            data-testid="room-link"
          />
          <CopyButton link={link} />
        </div>
        <ul className="share-ways">
          <li>
            <a href={location.href} target="_blank" rel="noreferrer">
              Open a second tab
            </a>
            <small>Same device: same log, no network.</small>
          </li>
          <li>
            <a href={devices} data-testid="devices-link">
              Two devices side by side
            </a>
            <small>In one window, joined by the relay only.</small>
          </li>
          <li>
            <button
              type="button"
              className="link"
              onClick={() => location.assign(roomLink(location.href, randomRoom()))}
              data-testid="new-room"
            >
              A room of your own
            </button>
            <small>With an empty cart. Orders are answered in the room demo only.</small>
          </li>
        </ul>
      </section>
    </>
  )
}

function CopyButton({ link }: { link: string }) {
  const [copy, setCopy] = useState<keyof typeof WORDS>('idle')

  useEffect(() => {
    if (copy === 'idle') return
    const timer = setTimeout(() => setCopy('idle'), SAID_FOR_MS)
    return () => clearTimeout(timer)
  }, [copy])

  async function copyLink() {
    try {
      await navigator.clipboard.writeText(link)
      setCopy('copied')
    } catch {
      setCopy('failed') // no clipboard on plain http, or it was not allowed
    }
  }

  return (
    <button
      type="button"
      className="button primary copy-link"
      onClick={copyLink}
      data-testid="copy-link"
      data-state={copy}
    >
      {copy === 'copied' && <CheckIcon />}
      <span aria-live="polite">{WORDS[copy]}</span>
    </button>
  )
}
