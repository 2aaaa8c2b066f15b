import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** Configuration that stops the start; `problems` are complete sentences for a person. */
export class BadConfiguration extends Error {
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'BadConfiguration'
    this.problems = problems
  }
}

/** Raw environment, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads the variables `<prefix><NAME>` that the shape names, e.g. prefix `HOLDFAST_CART_`. A
 * missing or bad value and an unknown name under the prefix fail with BadConfiguration, all at
 * once.
 */
export function readEnvironment<Shape extends z.ZodRawShape>(options: {
  readonly prefix: string
  readonly environment: Environment
  readonly shape: Shape
  /** Settings of the service's other processes, which this one passes over. */
  readonly ofOtherProcesses?: z.ZodRawShape
}): z.output<z.ZodObject<Shape>> {
  const given: Record<string, string> = {}
  const problems: string[] = []
  for (const [name, value] of Object.entries(options.environment)) {
    if (!name.startsWith(options.prefix) || value === undefined) continue
    const short = name.slice(options.prefix.length)
    if (Object.hasOwn(options.shape, short)) given[short] = value
    else if (!Object.hasOwn(options.ofOtherProcesses ?? {}, short))
      problems.push(`${name} is not a setting of this service; remove it or correct its name.`)
  }
  const parsed = z.object(options.shape).safeParse(given)
  for (const issue of parsed.error?.issues ?? []) {
    problems.push(`${options.prefix}${issue.path.join('.')}: ${issue.message}.`)
  }
  if (!parsed.success || problems.length > 0) throw new BadConfiguration(problems)
  return parsed.data
}

const isPort = (text: string): boolean => Number(text) <= 65_535

/** `host:port`; port 0 asks for any free one. */
export const addressSetting = z
  .string({ error: 'is required, as host:port' })
  .regex(/^[^\s:]+:\d{1,5}$/, 'must be host:port')
  .refine((text) => isPort(text.split(':')[1] ?? ''), 'must have a port of at most 65535')
  .transform((text) => {
    const [host, port] = text.split(':') as [string, string]
    return { host, port: Number(port) }
  })

/** Comma-separated `host:port` list with at least one entry. */
export const addressListSetting = z
  .string({ error: 'is required, as host:port[,host:port…]' })
  .regex(/^[^\s:,]+:\d{1,5}(,[^\s:,]+:\d{1,5})*$/, 'must be host:port[,host:port…]')
  .refine(
    (text) => text.split(',').every((address) => isPort(address.split(':')[1] ?? '')),
    'must have ports of at most 65535',
  )
  .transform((text): readonly string[] => text.split(','))

/** A URL with one of the protocols, such as `postgres:`. */
export function urlSetting(...protocols: readonly string[]) {
  return z
    .string({ error: `is required, as a ${protocols.join(' or ')} URL` })
    .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
      message: `must be a ${protocols.join(' or ')} URL`,
    })
}

/** Whole number in decimal digits, in a range; an empty value is a mistake, not a zero. */
export function integerSetting(range: { readonly min: number; readonly max: number }) {
  return z
    .string({ error: 'is required, as a whole number' })
    .regex(/^-?\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(range.min).max(range.max))
}

/** Whole number of milliseconds in a range, with a default. */
export function durationMsSetting(range: {
  readonly min: number
  readonly max: number
  readonly fallback: number
}) {
  return integerSetting(range).default(range.fallback)
}

/** Path of a file whose trimmed content is the value: secrets come as files only. */
export const secretFileSetting = z
  .string({ error: 'is required, as the path of a readable file' })
  .transform((path, context) => {
    try {
      const content = readFileSync(path, 'utf8').trim()
      if (content !== '') return content
      context.addIssue({ code: 'custom', message: `names an empty file: ${path}` })
    } catch {
      context.addIssue({ code: 'custom', message: `names a file that cannot be read: ${path}` })
    }
    return z.NEVER
  })

/** As secretFileSetting, with JSON inside. */
export const jsonFileSetting = secretFileSetting.transform((text, context): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue({ code: 'custom', message: 'names a file that is not JSON' })
    return z.NEVER
  }
})
