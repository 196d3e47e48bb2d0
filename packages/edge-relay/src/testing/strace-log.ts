/** What strace wrote down of a process and its children: what they did to files, in the order it was done. */
import { resolve } from 'node:path'

/** One change of a file, or one sync. Times are nanoseconds of the clock that strace reads. */
export type DiskStep =
  | { readonly did: 'open'; readonly fd: string; readonly path: string; readonly flags: string }
  | {
      readonly did: 'write'
      readonly fd: string
      readonly path: string
      /** Where in the file; absent where it goes to where the descriptor stands. */
      readonly at?: number
      readonly data: Buffer
      readonly endNs: bigint
    }
  | { readonly did: 'seek'; readonly fd: string; readonly path: string; readonly at: number }
  | { readonly did: 'resize'; readonly path: string; readonly size: number; readonly endNs: bigint }
  | { readonly did: 'grow'; readonly path: string; readonly size: number; readonly endNs: bigint }
  | { readonly did: 'sync'; readonly path: string; readonly startNs: bigint }
  | { readonly did: 'rename'; readonly from: string; readonly to: string }
  | { readonly did: 'unlink'; readonly path: string }

/** Calls that change files, and those that say that a change is to last. */
const CALLS = [
  ...['open', 'openat', 'creat', 'lseek', 'write', 'pwrite64', 'writev', 'pwritev', 'pwritev2'],
  ...['ftruncate', 'fallocate', 'fsync', 'fdatasync', 'rename', 'renameat', 'renameat2'],
  ...['unlink', 'unlinkat'],
]

/** Longer than what any engine writes at once: a write that was cut short in the log is refused. */
const MOST_BYTES = 1 << 26

/** Arguments of strace, before those of what it runs. */
export function straceArgs(log: string): string[] {
  return [
    ...['-f', '--seccomp-bpf', '-qq', '-y', '-xx', '-s', String(MOST_BYTES), '-o', log],
    ...['--absolute-timestamps=format:unix,precision:ns', '--syscall-times=ns'],
    `--trace=${CALLS.map((call) => `?${call}`).join(',')}`,
  ]
}

/** A call that went well, whole. */
const LINE = /^\d+ +(\d+)\.(\d{9}) (\w+)\((.*)\) += (\d+)(?:<([^>]*)>)? <(\d+)\.(\d{9})>$/s
/** Where others came between its begin and its end. */
const BEGUN = /^(\d+) (.*) <unfinished \.\.\.>$/s
const ENDED = /^(\d+) +\S+ <\.\.\. \w+ resumed>(.*)$/s
const ARGUMENT =
  /(?:\[(?<list>.*?)\](?=, |$))|(?:(?<fd>AT_FDCWD|\d+)<(?<path>[^>]*)>(?<gone>\(deleted\))?)|(?:"(?<text>[^"]*)"(?<cut>\.\.\.)?)|(?<word>[^,\s][^,]*)/gs

/** Steps one by one. */
export class StraceLog {
  /** What relative names are relative to; engines stay where they went to at their start. */
  #cwd = '/'
  /** By process. */
  readonly #begun = new Map<string, string>()

  /** What a line says; `undefined` where it is about nothing that matters. */
  step(line: string): DiskStep | undefined {
    const found = LINE.exec(this.#whole(line))
    if (!found) return undefined
    const [, s = '', ns = '', call = '', given = '', result = '', opened, tookS = '', tookNs = ''] =
      found
    const startNs = BigInt(s + ns)
    const endNs = startNs + BigInt(tookS + tookNs)
    const args = [...given.matchAll(ARGUMENT)].map(({ groups }) => groups as Argument)
    for (const { fd, path } of args) if (fd === 'AT_FDCWD' && path) this.#cwd = textOf(path)
    const [first = {}, second = {}, third = {}, fourth = {}] = args
    // What has no name any more is on no disk after the end.
    const file = { fd: first.fd ?? '', path: first.gone ? '' : textOf(first.path ?? '') }
    switch (call) {
      case 'open':
      case 'openat':
      case 'creat': {
        const flags =
          call === 'creat' ? 'O_CREAT|O_TRUNC' : ((call === 'open' ? second : third).word ?? '')
        return { did: 'open', fd: result, path: textOf(opened ?? ''), flags }
      }
      case 'lseek':
        return { did: 'seek', ...file, at: Number(result) }
      case 'write':
        return { did: 'write', ...file, data: bytesOf(second, result), endNs }
      case 'pwrite64':
        return { did: 'write', ...file, at: numberOf(fourth), data: bytesOf(second, result), endNs }
      case 'writev':
        return { did: 'write', ...file, data: listOf(second, result), endNs }
      case 'pwritev':
      case 'pwritev2':
        return { did: 'write', ...file, at: numberOf(fourth), data: listOf(second, result), endNs }
      case 'ftruncate':
        return { did: 'resize', path: file.path, size: numberOf(second), endNs }
      case 'fallocate': {
        const size = numberOf(third) + numberOf(fourth)
        return numberOf(second) === 0 ? { did: 'grow', path: file.path, size, endNs } : undefined
      }
      case 'fsync':
      case 'fdatasync':
        return { did: 'sync', path: file.path, startNs }
      case 'rename':
        return { did: 'rename', from: this.#named(first), to: this.#named(second) }
      case 'renameat':
      case 'renameat2':
        return { did: 'rename', from: this.#named(second, first), to: this.#named(fourth, third) }
      case 'unlink':
        return { did: 'unlink', path: this.#named(first) }
      case 'unlinkat':
        return { did: 'unlink', path: this.#named(second, first) }
      default:
        return undefined
    }
  }

  #whole(line: string): string {
    const [, beginner, begin = ''] = BEGUN.exec(line) ?? []
    if (beginner !== undefined) this.#begun.set(beginner, `${beginner} ${begin}`)
    const [, ender = '', end = ''] = ENDED.exec(line) ?? []
    return `${this.#begun.get(ender) ?? ''}${ender ? end : line}`
  }

  #named({ text = '' }: Argument, folder?: Argument): string {
    return resolve(folder?.path === undefined ? this.#cwd : textOf(folder.path), textOf(text))
  }
}

interface Argument {
  readonly list?: string
  readonly fd?: string
  readonly path?: string
  readonly gone?: string
  readonly text?: string
  readonly cut?: string
  readonly word?: string
}

function numberOf({ word = '' }: Argument): number {
  return Number(word)
}

/** What was written of what was given. */
function bytesOf({ text = '', cut }: Argument, count: string): Buffer {
  if (cut) throw new Error('strace cut a write short')
  return hex(text).subarray(0, Number(count))
}

function listOf({ list = '' }: Argument, count: string): Buffer {
  const parts = [...list.matchAll(/iov_base="([^"]*)"/g)].map(([, text = '']) => hex(text))
  return Buffer.concat(parts).subarray(0, Number(count))
}

function textOf(escaped: string): string {
  return hex(escaped).toString()
}

function hex(escaped: string): Buffer {
  return Buffer.from(escaped.replaceAll('\\x', ''), 'hex')
}
