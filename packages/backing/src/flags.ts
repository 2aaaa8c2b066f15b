/**
 * Arguments from names and values: `{ '--port': '80', '-c': ['a=1', 'b=2'] }` becomes
 * `--port 80 -c a=1 -c b=2`, in that order.
 */
export function flags(values: Readonly<Record<string, string | readonly string[]>>): string[] {
  return Object.entries(values).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : value).flatMap((one) => [name, one]),
  )
}
