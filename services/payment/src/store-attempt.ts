import { present } from '@holdfast/kernel'
import { sql, type Tx } from '@holdfast/pg'
import type { Attempt, AttemptOutcome, Step } from './domain-attempt.ts'
import type { ProviderOutcome } from './domain-outcome.ts'
import { REFUND_EXISTS } from './domain-refund.ts'

interface AttemptRow {
  readonly now: Date
  readonly step: Step | null
  readonly n: number
  readonly first_sent_at: Date
  readonly outcome: AttemptOutcome
  readonly is_there_already: boolean
}

// A statement of its own after the lock, so that `now` is not the time before a wait.
const listAttempts = sql<AttemptRow>(
  'payment.attempt.list',
  `SELECT clock_timestamp() AS now, a.step, a.n, a.first_sent_at, a.outcome,
     coalesce(a.outcome = 'refused' AND a.heard = $2, false) AS is_there_already
   FROM (SELECT 1) AS one LEFT JOIN provider_attempt a ON a.subject_id = $1`,
)

const insertAttempt = sql(
  'payment.attempt.insert',
  `INSERT INTO provider_attempt (subject_id, step, n, payment_id, request, fence)
   VALUES ($1, $2, $3, $4, $5, $6)`,
)

const resendAttempt = sql(
  'payment.attempt.resend',
  `UPDATE provider_attempt SET sends = sends + 1, last_sent_at = clock_timestamp(), fence = $4
   WHERE subject_id = $1 AND step = $2 AND n = $3`,
)

const answerAttempt = sql(
  'payment.attempt.answer',
  `UPDATE provider_attempt SET outcome = $4, heard = $5, heard_at = clock_timestamp()
   WHERE subject_id = $1 AND step = $2 AND n = $3`,
)

/** Bound on the words kept about an answer. */
const HEARD_LENGTH_MAX = 200

/** A subject's attempts and the database's time. */
export async function readAttempts(
  tx: Tx,
  subjectUuid: string,
): Promise<{ readonly attempts: readonly Attempt[]; readonly now: Date }> {
  const { rows } = await tx.query(listAttempts, [subjectUuid, REFUND_EXISTS])
  const attempts = rows.flatMap((one) => {
    if (one.step === null) return []
    const { step, n, outcome, is_there_already: isThereAlready } = one
    return [{ step, n, outcome, firstSentAt: one.first_sent_at, isThereAlready }]
  })
  return { attempts, now: present(rows[0], 'the time of the database').now }
}

/** Writes down what was heard of an attempt. */
export async function writeAnswer(
  tx: Tx,
  answer: {
    readonly subject: string
    readonly step: Step
    readonly n: number
    readonly outcome: AttemptOutcome
    readonly heard: string
  },
): Promise<void> {
  const { subject, step, n, outcome, heard } = answer
  await tx.query(answerAttempt, [subject, step, n, outcome, heard.slice(0, HEARD_LENGTH_MAX)])
}

/** A refusal or a doubt in a few words, for people. */
export function describeNoValue(outcome: ProviderOutcome<never>): string {
  if (outcome.kind === 'refused') return outcome.reason.code
  return outcome.kind === 'unknown' ? outcome.message : ''
}

/** Writes an attempt before it is sent, or that it is sent again under its key. */
export async function writeAttempt(
  tx: Tx,
  attempt: {
    readonly subject: string
    readonly paymentUuid: string
    readonly step: Step
    readonly n: number
    readonly isNew: boolean
    readonly request: object
    readonly fence: bigint
  },
): Promise<void> {
  const { subject, paymentUuid, step, n, isNew, fence } = attempt
  if (!isNew) {
    await tx.query(resendAttempt, [subject, step, n, fence])
    return
  }
  const request = Buffer.from(JSON.stringify(attempt.request), 'utf8')
  await tx.query(insertAttempt, [subject, step, n, paymentUuid, request, fence])
}
