/** Which relay and room a command is about, and requests to it. */
import { readFileSync } from 'node:fs'
import { BusError, isErrorCode, isRoom } from '@crosstown/bus/protocol'
import { type Command, InvalidArgumentError, Option } from 'commander'

/** The flags that all commands share. */
export interface TargetFlags {
  readonly url: string
  readonly room: string
  readonly tokenFile?: string
}

/** Gives a command the flags by which it finds its room. */
export function aboutRoom(command: Command): Command {
  return command
    .addOption(
      new Option('--url <url>', 'where the relay is')
        .env('CROSSTOWN_URL')
        .default('http://127.0.0.1:8787')
        .argParser(parseUrl),
    )
    .addOption(
      new Option('--room <room>', 'name of the room')
        .env('CROSSTOWN_ROOM')
        .makeOptionMandatory()
        .argParser(parseRoom),
    )
    .option('--token-file <file>', 'file with the token; or set CROSSTOWN_TOKEN')
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && /^https?:$/.test(url.protocol)) return url.href.replace(/\/+$/, '')
  throw new InvalidArgumentError('give an address, as in https://relay.example')
}

function parseRoom(text: string): string {
  if (isRoom(text)) return text
  throw new InvalidArgumentError('a room is 1 to 128 characters of A-Z a-z 0-9 . _ ~ -')
}

/** One room of a relay. */
export class Target {
  readonly #base: string
  readonly #url: string
  readonly #token: string | undefined

  /** @throws {BusError} invalid_options where the file of the token cannot be read */
  constructor({ url, room, tokenFile }: TargetFlags) {
    this.#url = url
    this.#base = `${url}/rooms/${room}`
    this.#token =
      tokenFile === undefined ? process.env['CROSSTOWN_TOKEN'] : tokenIn(tokenFile, '--token-file')
  }

  /**
   * The answer to a request, if it is one that was asked for.
   *
   * @throws {BusError} what the relay says, or unavailable where it says nothing
   */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    if (this.#token) headers.set('authorization', `Bearer ${this.#token}`)
    const address = path.startsWith('/rooms/') ? `${this.#url}${path}` : `${this.#base}${path}`
    let response: Response
    try {
      response = await fetch(address, { ...init, headers })
    } catch (cause) {
      if (init.signal?.aborted) throw cause
      throw new BusError('unavailable', `${this.#url} cannot be reached: ${reasonOf(cause)}`, {
        cause,
      })
    }
    if (response.ok) return response
    throw await this.#refusalOf(response)
  }

  /**
   * What the relay answers, as JSON.
   *
   * @throws {BusError} as of `fetch`; unavailable where the answer breaks off, not_found where it is none
   * of a relay
   */
  async json(path: string, init?: RequestInit): Promise<unknown> {
    return this.jsonOf(await this.fetch(path, init))
  }

  /** The same of an answer whose headers were read. */
  async jsonOf(response: Response): Promise<unknown> {
    let text: string
    try {
      text = await response.text()
    } catch (cause) {
      const what = `the answer of ${this.#url} broke off: ${reasonOf(cause)}`
      throw new BusError('unavailable', what, { cause })
    }
    try {
      return JSON.parse(text) as unknown
    } catch (cause) {
      throw this.notRelay('no JSON', cause)
    }
  }

  async #refusalOf(response: Response): Promise<BusError> {
    const { status } = response
    const body = (await response.json().catch(() => undefined)) as
      | { error?: { code?: unknown; message?: unknown } }
      | undefined
    const { code, message } = body?.error ?? {}
    if (isErrorCode(code)) return new BusError(code, `the relay says: ${String(message)} (${code})`)
    if (status >= 500) return new BusError('unavailable', `${this.#url} answers ${status}`)
    return this.notRelay(String(status))
  }

  /** Whoever is there is none of ours. */
  notRelay(what: string, cause?: unknown): BusError {
    return new BusError('not_found', `${this.#url} answers ${what}: is it a relay?`, { cause })
  }
}

/** The token in a file, which a flag names. @throws {BusError} invalid_options */
export function tokenIn(file: string, flag: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new BusError('invalid_options', `${flag} ${file} cannot be read: ${reasonOf(cause)}`, {
      cause,
    })
  }
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as {
    cause?: { code?: string; message?: string }
    message?: string
  }
  return cause?.code ?? cause?.message ?? message ?? String(error)
}
