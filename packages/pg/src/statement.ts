/** One SQL statement, prepared once per connection under its name. */
export interface Statement<Row> {
  readonly name: string
  readonly text: string
  /** Never set; carries the type of a row. */
  readonly row?: Row
}

/** Values as pg sends them; arrays become Postgres arrays. */
export type SqlValue =
  | string
  | number
  | bigint
  | boolean
  | Date
  | Uint8Array
  | null
  | readonly SqlValue[]

/** Any row, before a statement says more. */
export type Row = Readonly<Record<string, unknown>>

/** What a statement answered. `rowCount` is the number of rows read or changed. */
export interface Result<R> {
  readonly rows: readonly R[]
  readonly rowCount: number
}

/**
 * Names a statement; names are unique per database (`inventory.hold.insert`) and at most 63 bytes,
 * Postgres's limit. Columns: int8 is bigint, in arrays too; timestamptz is Date, uuid is text,
 * bytea is Buffer, numeric is text.
 */
export function sql<R = Row>(name: string, text: string): Statement<R> {
  return { name, text }
}
