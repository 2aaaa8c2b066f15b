import { randomBytes, randomInt } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Texts that must not turn up, by what they are. */
export type Canaries = Map<string, string>

/** A text that exists once in the world, letters and digits alone. */
export function uniqueText(): string {
  return `canary${randomBytes(12).toString('hex')}`
}

/** 16 digits that pass the check of a card number and belong to nobody. */
function uniqueCardNumber(): string {
  const digits = ['4', ...Array.from({ length: 14 }, () => String(randomInt(10)))]
  const sum = digits.reduceRight((total, digit, index) => {
    const doubled = Number(digit) * 2
    return total + (index % 2 === 0 ? doubled - (doubled > 9 ? 9 : 0) : Number(digit))
  }, 0)
  return [...digits, String((10 - (sum % 10)) % 10)].join('')
}

/** Fields whose own form a card number is dressed in, so that it gets as far as it can. */
const DRESSES: Readonly<Record<string, (card: string) => string>> = {
  returnUrl: (card) => `https://example.test/back?card=${card}`,
  email: (card) => `${card}@example.test`,
}

/** A request with a card number in one of its texts. */
export interface CardVariant<T> {
  /** `shipTo.line1` */
  readonly field: string
  readonly card: string
  readonly request: T
}

/** One variant of a request for each text in it, whatever the text is meant for. */
export function cardVariants<T extends object>(request: T): CardVariant<T>[] {
  const fields: (readonly string[])[] = []
  const look = (value: unknown, path: readonly string[]): void => {
    if (typeof value === 'string') fields.push(path)
    else if (value instanceof Uint8Array || value === null || typeof value !== 'object') return
    else for (const [name, part] of Object.entries(value)) look(part, [...path, name])
  }
  look(request, [])
  // Named by a card number but else in order, that one is taken and may leave nothing to take.
  fields.sort((left, right) => Number(left[0] === 'requestId') - Number(right[0] === 'requestId'))
  return fields.map((path) => {
    const card = uniqueCardNumber()
    const changed = structuredClone(request)
    let holder = changed as Record<string, unknown>
    for (const name of path.slice(0, -1)) holder = holder[name] as Record<string, unknown>
    const last = path.at(-1) ?? ''
    holder[last] = DRESSES[last]?.(card) ?? card
    return { field: path.join('.'), card, request: changed }
  })
}

/** Shorter texts in a file of secrets are names, numbers and the like. */
const SECRET_CHARACTERS_MIN = 20

/** Every password and key that the processes were started with, by file. */
export function secretsIn(folder: string): Canaries {
  const found: Canaries = new Map()
  for (const name of readdirSync(folder)) {
    // Holds the public halves alone.
    if (name === 'peer-keys.json') continue
    const content = readFileSync(join(folder, name), 'utf8').trim()
    const isJson = name.endsWith('.json')
    const texts = isJson ? secretTexts(JSON.parse(content)) : [content]
    texts.forEach((text, index) => found.set(`${name} ${index}`, text))
  }
  return found
}

/** A JWK's public half and an e-mail address are no secrets. */
const OPEN_NAMES: ReadonlySet<string> = new Set(['x', 'kid', 'email'])

function secretTexts(value: unknown): string[] {
  if (typeof value === 'string') return value.length >= SECRET_CHARACTERS_MIN ? [value] : []
  if (value === null || typeof value !== 'object') return []
  return Object.entries(value).flatMap(([name, part]) =>
    OPEN_NAMES.has(name) ? [] : secretTexts(part),
  )
}
