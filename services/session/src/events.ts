/** Topic of the hint that something was revoked: ask ListRevocations now, not at the next poll. */
export const REVOCATION_TOPIC = 'revocation'
