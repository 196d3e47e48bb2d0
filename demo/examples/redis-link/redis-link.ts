/**
 * A link over Redis Pub/Sub: all processes whose bus has the same name hear each other through it.
 * It is live, as every link is: what must not be missed goes through a relay.
 */
import { randomUUID } from 'node:crypto'
import { BusError, type Link, type LinkSource } from '@crosstown/bus'
import { createClient, type RedisClientOptions } from 'redis'

/** Characters that may wait for Redis. What is more is lost: memory has an end, and a link may lose. */
const MAX_WAITING = 16 * 1024 * 1024

/**
 * @param options those of `createClient`: `{ url: 'redis://127.0.0.1:6379' }`
 * @example createBus({ name: 'shop', links: [redisLink({ url: 'redis://127.0.0.1:6379' })] })
 */
export const redisLink = (options: RedisClientOptions): LinkSource => ({
  open: (channel) => new RedisLink(options, channel),
})

export class RedisLink implements Link {
  readonly #channel: string
  // A connection that subscribes does nothing else; so there are two.
  readonly #publisher
  readonly #subscriber
  // Redis tells everyone on a channel, also who published: a text begins with who sent it.
  readonly #self: string = randomUUID()
  #receiver: ((text: string) => void) | undefined
  #report: ((error: BusError) => void) | undefined
  #connected: Promise<void> | undefined
  #waiting = 0
  #away = false
  #closed = false

  constructor(options: RedisClientOptions, channel: string) {
    this.#channel = channel
    this.#publisher = createClient(options)
    this.#subscriber = this.#publisher.duplicate()
    for (const client of [this.#publisher, this.#subscriber]) {
      client.on('error', (cause) => this.#failed(cause))
      client.on('ready', () => {
        if (this.#publisher.isReady && this.#subscriber.isReady) this.#away = false
      })
    }
  }

  /** Resolves when others are heard. It goes on trying for as long as that takes. */
  connect(): Promise<void> {
    this.#connected ??= this.#open()
    return this.#connected
  }

  async #open(): Promise<void> {
    await this.#subscriber.connect()
    await this.#subscriber.subscribe(this.#channel, (message) => {
      if (!message.startsWith(this.#self)) this.#receiver?.(message.slice(this.#self.length))
    })
    // In this order: what is said is answered, and the answers are to be heard.
    if (!this.#closed) await this.#publisher.connect()
  }

  receive(receiver: (text: string) => void, report?: (error: BusError) => void): void {
    this.#receiver = receiver
    this.#report = report
    // It fails where the link is closed first, and nobody waits for it then.
    this.connect().catch(() => {})
  }

  send(text: string): void {
    if (this.#closed || this.#waiting + text.length > MAX_WAITING) return
    this.#waiting += text.length
    this.connect()
      .then(() => this.#publisher.publish(this.#channel, this.#self + text))
      // Lost with the connection: 'error' has told of it.
      .catch(() => {})
      .finally(() => {
        this.#waiting -= text.length
      })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#receiver = undefined
    if (this.#subscriber.isOpen) this.#subscriber.destroy()
    if (!this.#publisher.isOpen) return
    if (!this.#publisher.isReady) return this.#publisher.destroy()
    // What was sent goes out first.
    await this.#connected
    await this.#publisher.close()
  }

  /** Told once for each time that Redis is away, not for each attempt to reach it. */
  #failed(cause: unknown): void {
    if (this.#away) return
    this.#away = true
    this.#report?.(new BusError('unavailable', 'Redis is away', { stage: 'links', cause }))
  }
}
