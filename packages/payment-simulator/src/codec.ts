/**
 * JSON in which every field whose name ends in `Minor` is a bigint here and a decimal string there:
 * amounts pass 2^53 in no browser, log or ledger unharmed otherwise.
 */
export function encode(value: unknown): string {
  return JSON.stringify(value, (_name, field: unknown) =>
    typeof field === 'bigint' ? field.toString() : field,
  )
}

/** Reads what `encode` wrote. Throws SyntaxError on text that is no JSON or no whole amount. */
export function decode(text: string): unknown {
  return JSON.parse(text, (name, field: unknown) =>
    name.endsWith('Minor') && typeof field === 'string' ? toMinor(field) : field,
  )
}

function toMinor(text: string): bigint {
  if (!/^-?\d{1,19}$/.test(text))
    throw new SyntaxError('an amount is a whole number of minor units')
  return BigInt(text)
}
