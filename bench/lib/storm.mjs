// Devices that come back by themselves, when the relay told them to; little more than their sockets.
import { encodeFrame, SUBPROTOCOL } from '@crosstown/bus/protocol'
import { WebSocket } from 'ws'

const light = { perMessageDeflate: false, skipUTF8Validation: true }
/** Between attempts, where nobody listens yet. */
const AGAIN_MS = 100

/** All devices of a storm. */
export class StormDevices {
  #devices

  constructor(url, count) {
    this.#devices = Array.from({ length: count }, (_, i) => new StormDevice(url, i))
  }

  /** Resolves when all are welcome, and have as many events as there are. */
  async joined(events) {
    await Promise.all(this.#devices.map((device) => device.until(events)))
  }

  /** When each was welcome last, and how long that took since it dialled; sorted. */
  times() {
    const sorted = (of) => this.#devices.map(of).sort((a, b) => a - b)
    return {
      welcomes: sorted(({ welcomeMs }) => welcomeMs),
      waits: sorted(({ welcomeMs, dialledMs }) => welcomeMs - dialledMs),
    }
  }

  dial() {
    for (const device of this.#devices) device.dial()
  }

  close() {
    for (const device of this.#devices) device.close()
  }
}

class StormDevice {
  dialledMs = 0
  welcomeMs = 0
  #url
  #id
  #cursor
  #socket
  #events = 0
  #open = false
  #closed = false
  #wake = () => {}

  constructor(url, i) {
    this.#url = url
    this.#id = `device${i}`
  }

  async until(events) {
    while (!this.#open || this.#events < events) {
      await new Promise((resolve) => {
        this.#wake = resolve
      })
    }
  }

  dial() {
    if (this.#closed) return
    const socket = new WebSocket(`${this.#url}/rooms/room/socket`, SUBPROTOCOL, light)
    this.#socket = socket
    this.dialledMs = performance.now()
    let backMs = AGAIN_MS
    socket.on('error', () => {})
    socket.on('open', () => socket.send(encodeFrame(this.#hello())))
    socket.on('message', (bytes) => {
      const text = bytes.toString()
      const name = text.slice(10, 16)
      if (name === 'welcom') {
        this.welcomeMs = performance.now()
        this.#cursor = /"from":"([^"]+)"/.exec(text)[1]
        this.#open = true
      } else if (name === 'stream') {
        this.#cursor = /"position":"([^"]+)"/.exec(text)[1]
        this.#events += text.split('\n').length - 1
      } else if (name === 'goaway') {
        const { afterMs, jitterMs } = JSON.parse(text)
        backMs = afterMs + Math.random() * jitterMs
      }
      this.#wake()
    })
    socket.on('close', () => {
      this.#open = false
      setTimeout(() => this.dial(), backMs)
    })
  }

  close() {
    this.#closed = true
    this.#socket?.terminate()
  }

  #hello() {
    return {
      frame: 'hello',
      version: 1,
      log: `log-${this.#id}`,
      device: { id: this.#id, secret: `secret-of-${this.#id}` },
      terms: [[1, 'bench']],
      ...(this.#cursor && { cursor: this.#cursor }),
    }
  }
}
