import { type Bus, hintSubject, STOCK_STREAM, STOCK_WATERMARK_SUBJECT } from '@holdfast/bus'
import type { Clock } from '@holdfast/kernel'
import { createStateRelay } from '@holdfast/outbox'
import type { KeyPurge, PrimaryDb } from '@holdfast/pg'

import { type Loop, startLoop } from '@holdfast/runtime'
import type { Logger } from '@holdfast/telemetry'
import { encodeWatermark, stateOf } from './events.ts'
import { expiredHolds, showPins } from './telemetry.ts'
import type * as Store from './store.ts'

/** What the loops work with, given by the composition root. */
export interface JobParts {
  readonly db: PrimaryDb
  readonly store: typeof Store
  /** Deletes answers to requests past their life. */
  readonly keyPurge: KeyPurge
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
}

/** Holds ended in one transaction; more would keep hot levels locked for too long. */
const EXPIRE_HOLDS_MAX = 100
/** Items read at once while everything is published again. */
const RESEND_ROWS_MAX = 1_000
/** Between looks for due holds, ms: a hold outlives its end by little more. */
const EXPIRE_EVERY_MS = 1_000
/** Between counts for the metrics, ms. */
const COUNT_EVERY_MS = 5_000

/** Starts the loops of this service; disposing ends them after their present turn. */
export function startJobs(parts: JobParts): AsyncDisposable {
  const { keyPurge, clock, log } = parts
  const loops = [
    startExpiry(parts),
    startPinCounter(parts),
    startRelay(parts),
    startLoop({ name: 'inventory.request_keys', ...keyPurge, clock, log }),
  ]
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(loops.map((loop) => loop[Symbol.asyncDispose]()))
    },
  }
}

function startRelay({ db, store, bus, clock, log }: JobParts): AsyncDisposable {
  return createStateRelay({
    db,
    bus,
    clock,
    log,
    feed: 'stock',
    stream: STOCK_STREAM,
    watermarkSubject: STOCK_WATERMARK_SUBJECT,
    encodeWatermark,
    readCurrent: async (afterKey) =>
      (await store.readItemPage(db, { afterKey, rowsMax: RESEND_ROWS_MAX })).map(stateOf),
    hintSubject: hintSubject('outbox.inventory'),
  })
}

function startExpiry({ db, store, clock, log }: JobParts): Loop {
  return startLoop({
    name: 'inventory.hold_expiry',
    everyMs: EXPIRE_EVERY_MS,
    clock,
    log,
    turn: async () => {
      const ended = await store.expireHolds(db, EXPIRE_HOLDS_MAX, 'job:hold-expiry')
      expiredHolds.add(ended)
      return ended === EXPIRE_HOLDS_MAX ? 'again' : undefined
    },
  })
}

function startPinCounter({ db, store, clock, log }: JobParts): Loop {
  let figures: Store.PinFigures | undefined
  showPins(() => figures)
  return startLoop({
    name: 'inventory.pin_counter',
    everyMs: COUNT_EVERY_MS,
    clock,
    log,
    turn: async () => {
      figures = await store.readPinFigures(db)
    },
  })
}
