import { type Id, type IdKind, ID_PREFIXES, isId } from '@holdfast/kernel'
import { newId } from '@holdfast/runtime'

/** An id inside a request: where, and of which kind. */
export interface IdPlace {
  readonly path: readonly (string | number)[]
  /** The path without positions in lists, such as `lines.itemId`. */
  readonly name: string
  readonly kind: IdKind
}

/** Bound on how deep requests nest; messages here are flat. */
const DEPTH_MAX = 6

/** Every id in a request, in order. */
export function idsIn(request: unknown): IdPlace[] {
  const places: IdPlace[] = []
  visit(request, [], places)
  return places
}

function visit(value: unknown, path: readonly (string | number)[], places: IdPlace[]): void {
  if (path.length > DEPTH_MAX) throw new Error(`A request nests deeper than ${DEPTH_MAX}.`)
  if (typeof value === 'string') {
    const kind = kindOf(value)
    if (kind === undefined) return
    const name = path.filter((part) => typeof part === 'string').join('.')
    places.push({ path, name, kind })
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => {
      visit(item, [...path, index], places)
    })
  } else if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    for (const [key, item] of Object.entries(value)) visit(item, [...path, key], places)
  }
}

function kindOf(text: string): IdKind | undefined {
  const kinds = Object.keys(ID_PREFIXES) as IdKind[]
  return kinds.find((kind) => isId(kind, text))
}

/** A copy of the request with another value at the place. */
export function withId<T>(request: T, place: IdPlace, id: Id<IdKind>): T {
  const copy = structuredClone(request)
  let holder = copy as Record<string | number, unknown>
  for (const part of place.path.slice(0, -1)) {
    holder = holder[part] as Record<string | number, unknown>
  }
  holder[place.path.at(-1) ?? ''] = id
  return copy
}

/** A well-formed id that names nothing. */
export function unknownId(place: IdPlace): Id<IdKind> {
  return newId(place.kind)
}
