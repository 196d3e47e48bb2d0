import { useEvent } from '@crosstown/bus/react'
import { useState } from 'react'

/** For screen readers: how an order ended, wherever in the shop one is. */
export function Announcer() {
  const [words, setWords] = useState('')
  useEvent(['order.confirmed', 'order.failed'], ({ type, data }) => {
    const end = type === 'order.confirmed' ? 'is confirmed' : 'has failed'
    setWords(`Order ${data.id} ${end}. ${data.message}`)
  })
  return (
    <p className="visually-hidden" role="status">
      {words}
    </p>
  )
}
