import { type FileHandle, open, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BrokenAssumption } from '@holdfast/kernel'
import { decode, encode } from './codec.ts'
import type { Change } from './domain.ts'

/**
 * One line of the ledger file: all changes of one request, so that they are there together or not.
 */
export interface JournalLine {
  readonly seq: number
  readonly at: string
  readonly changes: readonly Change[]
}

/** Bound on one read while rebuilding: lines are at most a few KB. */
const READ_CHUNK_BYTES = 1_048_576
const NEWLINE = 0x0a

/**
 * An append-only JSON-lines file. `append` resolves once the line is on disk (fdatasync), and lines
 * that arrive during one sync share the next. A failed write ends the journal for good: after a
 * failed sync nobody knows what the disk holds, so only a restart, which reads it, may go on.
 */
export class Journal {
  readonly #file: FileHandle
  #seq: number
  #waiting: {
    readonly bytes: Buffer
    readonly done: () => void
    readonly fail: (e: Error) => void
  }[] = []
  #writing: Promise<void> | undefined
  #broken: Error | undefined

  private constructor(file: FileHandle, seq: number) {
    this.#file = file
    this.#seq = seq
  }

  /**
   * Opens or creates the file and hands each whole line to `onLine` in order. A last line without
   * its newline was never answered for, so it is cut off; any other unreadable line is an error.
   */
  static async open(path: string, onLine: (line: JournalLine) => void): Promise<Journal> {
    const file = await open(path, 'a+', 0o600)
    try {
      const { seq, wholeBytes } = await readLines(file, onLine)
      const { size } = await file.stat()
      if (size > wholeBytes) await truncate(path, wholeBytes)
      await file.sync()
      await syncFolder(dirname(path))
      return new Journal(file, seq)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Adds a line; resolves when it is durable. */
  append(at: string, changes: readonly Change[]): Promise<void> {
    if (this.#broken) return Promise.reject(this.#broken)
    this.#seq += 1
    const line: JournalLine = { seq: this.#seq, at, changes }
    return this.#enqueue(Buffer.from(`${encode(line)}\n`))
  }

  /** Resolves when everything appended so far is durable: what a reader may then be told. */
  flushed(): Promise<void> {
    if (this.#broken) return Promise.reject(this.#broken)
    if (!this.#writing) return Promise.resolve()
    return this.#enqueue(Buffer.alloc(0))
  }

  /** Waits for what is under way and closes the file. Idempotent enough for one owner. */
  async close(): Promise<void> {
    await this.#writing
    await this.#file.close()
  }

  #enqueue(bytes: Buffer): Promise<void> {
    return new Promise((done, fail) => {
      this.#waiting.push({ bytes, done, fail })
      this.#writing ??= this.#drain()
    })
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        await this.#file.appendFile(Buffer.concat(batch.map((item) => item.bytes)))
        await this.#file.datasync()
        for (const item of batch) item.done()
      } catch (cause) {
        this.#broken = new BrokenAssumption('the ledger file cannot be written', { cause })
        for (const item of [...batch, ...this.#waiting]) item.fail(this.#broken)
        this.#waiting = []
      }
    }
    this.#writing = undefined
  }
}

/** A new file survives a power loss only once its folder's entry is on disk too. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function readLines(
  file: FileHandle,
  onLine: (line: JournalLine) => void,
): Promise<{ seq: number; wholeBytes: number }> {
  const chunk = Buffer.alloc(READ_CHUNK_BYTES)
  let rest = Buffer.alloc(0)
  let position = 0
  let wholeBytes = 0
  let seq = 0
  for (;;) {
    const { bytesRead } = await file.read(chunk, 0, READ_CHUNK_BYTES, position)
    if (bytesRead === 0) return { seq, wholeBytes }
    position += bytesRead
    rest = Buffer.concat([rest, chunk.subarray(0, bytesRead)])
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      const line = decode(rest.subarray(0, end).toString('utf8')) as JournalLine
      if (line.seq !== seq + 1) throw new BrokenAssumption(`ledger line ${seq + 1} is missing`)
      seq = line.seq
      onLine(line)
      wholeBytes += end + 1
      rest = rest.subarray(end + 1)
    }
  }
}
