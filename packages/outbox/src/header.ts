/** Header with the version of the state a message carries, as decimal text. */
export const VERSION_HEADER = 'Holdfast-Version'

/** Header with a fact's id, a TypeID; consumers apply each id once. */
export const EVENT_ID_HEADER = 'Holdfast-Event-Id'

/** Header with the database time at which the message's transaction began, RFC 3339. */
export const CREATED_AT_HEADER = 'Holdfast-Created-At'
