import type { Finding } from './source.ts'

/** A finding that is allowed to stand, with the reason why. The list may only get shorter. */
export interface Exception {
  readonly rule: string
  readonly path: string
  /** The finding's subject, such as a function's name; without it, every subject of the path. */
  readonly subject?: string
  readonly reason: string
}

/** A reason shorter than this explains nothing. */
const REASON_CHARACTERS_MIN = 20

/** The findings of one rule that no exception covers, and the exceptions that cover nothing. */
export function applyExceptions(options: {
  readonly rule: string
  readonly findings: readonly Finding[]
  readonly exceptions: readonly Exception[]
}): { readonly left: readonly Finding[]; readonly unneeded: readonly Exception[] } {
  const own = options.exceptions.filter((one) => one.rule === options.rule)
  const left = options.findings.filter((finding) => !own.some((one) => covers(one, finding)))
  const unneeded = own.filter((one) => !options.findings.some((finding) => covers(one, finding)))
  return { left, unneeded }
}

function covers(exception: Exception, finding: Finding): boolean {
  if (exception.path !== finding.path) return false
  return exception.subject === undefined || exception.subject === finding.subject
}

/** What is wrong with the list itself: a rule nobody knows, or no reason. */
export function exceptionProblems(
  exceptions: readonly Exception[],
  ruleNames: readonly string[],
): string[] {
  return exceptions.flatMap((one) => {
    if (!ruleNames.includes(one.rule)) return [`${one.path}: no rule is called "${one.rule}"`]
    return one.reason.trim().length < REASON_CHARACTERS_MIN ? [`${one.path}: say why`] : []
  })
}
