/**
 * Something outside this program stands in the way: a busy port, a missing tool, a full disk. The
 * message is one readable line that says what is wrong and what to do; it is shown without a stack.
 */
export class SetupError extends Error {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options)
    this.name = 'SetupError'
  }
}

/** The readable line of any failure: a SetupError's own, the code and message of a system error. */
export function describeFailure(failure: unknown): string {
  if (!(failure instanceof Error)) return String(failure)
  const code = (failure as NodeJS.ErrnoException).code
  if (code === 'ENOSPC') return 'The disk is full. Free some space and start again.'
  return failure.message.split('\n')[0] ?? failure.name
}
