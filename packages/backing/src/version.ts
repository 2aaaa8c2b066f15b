/** Major, minor and patch number of a program. */
export type Version = readonly [major: number, minor: number, patch: number]

/** The first dotted number in what a program prints about itself; undefined when there is none. */
export function readVersion(text: string): Version | undefined {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text)
  if (match === null) return undefined
  return [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)]
}

/** True when `version` is `minimum` or newer. */
export function isAtLeast(version: Version, minimum: Version): boolean {
  for (const [index, part] of version.entries()) {
    const least = minimum[index] ?? 0
    if (part !== least) return part > least
  }
  return true
}

/** `1.31.2` */
export function showVersion(version: Version): string {
  return version.join('.')
}
