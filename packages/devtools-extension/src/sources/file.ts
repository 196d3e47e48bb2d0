/**
 * A session file as a source. It is read twice: first every line is checked, so that a damaged file is
 * refused with its line and nothing of it is shown; then its frames are given as taps would give them,
 * no faster than the panel grants.
 */
import {
  type Ask,
  INSPECT_VERSION,
  type InspectorFrame,
  type PayloadLine,
  type PeerId,
  type SessionHead,
  type Tree,
} from '@crosstown/bus/inspect'
import { Fault } from '../frames/reader.ts'
import { readHead, readOwnLine, readPayload } from '../frames/session-lines.ts'
import { parseFrame, readBatchRecords, readTapFrame } from '../frames/tap-frames.ts'
import type { InspectSource, SourceSink } from './source.ts'

/** What is wrong with a session file, and where. */
export class SessionFileError extends Error {
  override readonly name = 'SessionFileError'
  /** From 1; absent where it is the file as a whole. */
  readonly line: number | undefined

  constructor(message: string, line?: number) {
    super(line === undefined ? message : `Line ${line}: ${message}`)
    this.line = line
  }
}

export interface SessionFileOptions {
  /** @default the name of the file, `session` where it has none */
  readonly label?: string
  /** Told some hundred times at most while the file is checked: from 0 to 1. */
  readonly onProgress?: (share: number) => void
  readonly signal?: AbortSignal
}

/** A file that was found to be whole, to be given to the panel. */
export interface SessionFile extends InspectSource {
  readonly head: SessionHead
  readonly lines: number
}

/** Bytes after which others have their turn. */
const TURN_BYTES = 1024 * 1024
const MAX_DATA_BYTES = 256 * 1024 * 1024

/**
 * Checks a whole file.
 * @throws {SessionFileError} it is no session file, is damaged, or of a version not known
 */
export async function openSessionFile(
  file: Blob,
  { label, onProgress, signal }: SessionFileOptions = {},
): Promise<SessionFile> {
  const name = label ?? ('name' in file && typeof file.name === 'string' ? file.name : 'session')
  if (file.size === 0) throw new SessionFileError('The file is empty.')
  const check = new Checker()
  let told = 0
  for await (const { text, read } of linesOf(file, signal)) {
    check.line(text)
    if (read - told < Math.max(TURN_BYTES, file.size / 100)) continue
    told = read
    onProgress?.(read / file.size)
    await turn()
  }
  const { head, lines } = check.end()
  onProgress?.(1)
  return new FileSource(file, name, head, lines, check.data)
}

/** The source of a file, as a panel asks for it. @throws as {@link openSessionFile} does */
export function fileSource(
  file: File,
  onProgress?: (share: number) => void,
  signal?: AbortSignal,
): Promise<InspectSource> {
  return openSessionFile(file, { ...(onProgress && { onProgress }), ...(signal && { signal }) })
}

/** Holds each line to the form of what it says it is. */
class Checker {
  #number = 0
  #head: SessionHead | undefined
  readonly #peers = new Set<PeerId>()
  #dataBytes = 0
  /** Data of events, by id. */
  readonly data = new Map<string, PayloadLine>()

  line(text: string): void {
    this.#number++
    if (text === '') return
    try {
      const given = parseFrame(text)
      if (!this.#head) {
        this.#head = readHead(given)
        return
      }
      const own = readOwnLine(given)
      if (own) {
        if (own.frame === 'peer' && !this.#peers.has(own.peer))
          throw new Fault(`peer ${own.peer.slice(0, 60)} was not introduced by a hello before`)
        return
      }
      if (given['frame'] === 'payload') {
        this.#dataBytes += text.length
        if (this.#dataBytes <= MAX_DATA_BYTES) {
          const line = readPayload(given)
          this.data.set(line.event, line)
        }
        return
      }
      const frame = readTapFrame(given)
      if (frame.frame === 'mismatch' || frame.frame === 'answer')
        throw new Fault(`a ${frame.frame} does not belong into a session file`)
      if (frame.frame === 'hello') this.#peers.add(frame.peer)
      else if (!this.#peers.has(frame.peer))
        throw new Fault(`peer ${frame.peer.slice(0, 60)} was not introduced by a hello before`)
      if (frame.frame === 'batch') readBatchRecords(frame)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      throw new SessionFileError(`${error.text}.`, this.#number)
    }
  }

  end(): { head: SessionHead; lines: number } {
    if (!this.#head) throw new SessionFileError('The file has no lines.')
    return { head: this.#head, lines: this.#number }
  }
}

/** Lines of a file, read piece by piece. `read` is how many bytes were read for it. */
async function* linesOf(
  file: Blob,
  signal?: AbortSignal,
): AsyncGenerator<{ readonly text: string; readonly read: number }> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const reader = file.stream().getReader()
  let rest = ''
  let read = 0
  let line = 0
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode()
    } catch {
      throw new SessionFileError('This is not UTF-8 text.', line + 1)
    }
  }
  try {
    for (;;) {
      signal?.throwIfAborted()
      const { done, value } = await reader.read()
      read += value?.byteLength ?? 0
      const pieces = (rest + (done ? decode() : decode(value))).split('\n')
      rest = pieces.pop() ?? ''
      for (const piece of pieces) {
        line++
        yield { text: piece.endsWith('\r') ? piece.slice(0, -1) : piece, read }
      }
      if (rest.length > MAX_LINE) throw new SessionFileError('The line is too long.', line + 1)
      if (done) break
    }
    if (rest !== '') yield { text: rest, read }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

/** Characters of a line at most. */
const MAX_LINE = 8 * 1024 * 1024

/** Lets the page breathe. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve))
}

class FileSource implements SessionFile {
  readonly kind = 'file'
  readonly label: string
  readonly head: SessionHead
  readonly lines: number
  readonly #file: Blob
  readonly #data: ReadonlyMap<string, PayloadLine>
  readonly #closed = new AbortController()
  #sink: SourceSink | undefined
  /** Batches of each peer that may be given. */
  readonly #credit = new Map<PeerId, number>()
  #wake: (() => void) | undefined
  #attached = 0

  constructor(
    file: Blob,
    label: string,
    head: SessionHead,
    lines: number,
    data: ReadonlyMap<string, PayloadLine>,
  ) {
    this.#file = file
    this.label = label
    this.head = head
    this.lines = lines
    this.#data = data
  }

  start(sink: SourceSink): void {
    this.#sink = sink
    sink.state('open')
    void this.#play(sink)
  }

  send(text: string): void {
    const frame = JSON.parse(text) as InspectorFrame
    switch (frame.frame) {
      case 'attach':
        this.#attached = Math.max(this.#attached, frame.credit)
        break
      case 'grant':
        if (frame.to !== undefined)
          this.#credit.set(frame.to, (this.#credit.get(frame.to) ?? 0) + frame.credit)
        break
      case 'ask':
        this.#answer(frame.session, frame.to, frame.id, frame.ask)
        return
      case 'detach':
        return
    }
    this.#wake?.()
  }

  close(): void {
    this.#closed.abort()
    this.#wake?.()
    this.#sink = undefined
  }

  async #play(sink: SourceSink): Promise<void> {
    const { signal } = this.#closed
    let given = 0
    try {
      for await (const { text } of linesOf(this.#file, signal)) {
        if (text === '') continue
        const frame = namesOf(text)
        if (frame.frame === 'payload') continue
        if (frame.frame === 'batch') await this.#granted(frame.peer, signal)
        sink.frame(text)
        given += text.length
        if (given < TURN_BYTES) continue
        given = 0
        await turn()
      }
      // It stays open: data of its events can be asked for.
      sink.state('open', 'read to its end')
    } catch (error) {
      if (signal.aborted) return
      // It was whole a moment ago: the file was changed or removed.
      sink.state('closed', error instanceof Error ? error.message : String(error))
    }
  }

  async #granted(peer: PeerId, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const credit = this.#credit.get(peer) ?? this.#attached
      if (credit > 0) {
        this.#credit.set(peer, credit - 1)
        return
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #answer(session: string, peer: PeerId, id: number, ask: Ask): void {
    const reply = (rest: object) =>
      this.#sink?.frame(
        JSON.stringify({ inspect: INSPECT_VERSION, frame: 'answer', peer, session, id, ...rest }),
      )
    if (ask.what === 'fault') {
      reply({ result: { fault: null } })
      return
    }
    if (ask.what === 'watch') {
      reply({ result: {} })
      return
    }
    const line = 'event' in ask ? this.#data.get(ask.event) : undefined
    if (ask.what === 'text' && line?.text !== undefined) {
      const { text, encoding } = line
      reply({ result: { text, ...(encoding ? { encoding } : {}) } })
      return
    }
    const tree = line && ask.what === 'payload' ? below(line.tree, ask.path ?? []) : undefined
    if (tree) {
      reply({ result: tree })
      return
    }
    const message =
      ask.what === 'payload' || ask.what === 'text'
        ? 'the data of this event is not in the file'
        : 'this is a recording: there is nobody to ask'
    reply({ error: { code: 'not_found', message } })
  }
}

/** What a line is, and whose: mostly written first, so that it is not read whole for that. */
function namesOf(text: string): { readonly frame: string; readonly peer: PeerId } {
  const [, frame, peer] = /^\{"inspect":\d+,"frame":"(\w+)","peer":"([^"\\]+)"/.exec(text) ?? []
  return frame !== undefined && peer !== undefined ? { frame, peer } : JSON.parse(text)
}

function below(tree: Tree, path: readonly (string | number)[]): Tree | undefined {
  let at: Tree | undefined = tree
  for (const key of path) at = at?.children?.find(([own]) => own === key)?.[1]
  return at
}
