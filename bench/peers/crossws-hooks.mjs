// The same on all runtimes: who says `join` hears what the others say; `taken?` is answered, so that a
// publisher knows that what it sent before was taken.
const TOPIC = 'room'

export const hooks = {
  message(peer, message) {
    const text = message.text()
    if (text === 'join') {
      peer.subscribe(TOPIC)
      peer.send('joined')
    } else if (text === 'taken?') peer.send('taken')
    else peer.publish(TOPIC, text)
  },
}
