import { PRIORITY_CLASSES, type PriorityClass } from './access.ts'
import type { Caller } from './caller.ts'

/** Metadata by which a service hands the class of what it serves on to those it asks. */
export const CLASS_KEY = 'holdfast-class'

/** The class a header names; undefined for none and for what is no class. */
export function handedClass(value: unknown): PriorityClass | undefined {
  return PRIORITY_CLASSES.find((known) => known === value)
}

/** The class of a call: what a service handed on, else its method's own. */
export function classOfCall(caller: Caller, header: unknown, own: PriorityClass): PriorityClass {
  return caller.kind === 'service' ? (handedClass(header) ?? own) : own
}
