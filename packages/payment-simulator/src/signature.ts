import { createHmac } from 'node:crypto'

/**
 * Header that proves a webhook's origin: `t=<unix seconds>,v1=<hex HMAC-SHA-256 of "<t>.<body>">`.
 */
export const SIGNATURE_HEADER = 'simulator-signature'

/** The header's value for a body sent at `sentAt`. Pure. */
export function signWebhook(options: {
  readonly secret: string
  readonly body: string
  readonly sentAt: Date
}): string {
  const seconds = Math.floor(options.sentAt.getTime() / 1_000)
  const mac = createHmac('sha256', options.secret).update(`${seconds}.${options.body}`)
  return `t=${seconds},v1=${mac.digest('hex')}`
}
