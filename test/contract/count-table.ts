import { CELL_KINDS, type Cell, problemOf } from './walk.ts'

/** How many calls of which kind each service was sent, and how many answers were wrong. */
export function countTable(cells: ReadonlyMap<string, readonly Cell[]>): string {
  const rows = Array.from(cells, ([service, own]) => rowOf(service, own))
  const total = rowOf('all', Array.from(cells.values()).flat())
  const table = [['service', ...CELL_KINDS, 'wrong'], ...rows, total]
  const widths = table[0]?.map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  )
  return table
    .map((row) => row.map((cell, column) => cell.padStart(widths?.[column] ?? 0)).join('  '))
    .join('\n')
}

function rowOf(name: string, cells: readonly Cell[]): string[] {
  const counts = CELL_KINDS.map((kind) => cells.filter((cell) => cell.kind === kind).length)
  const wrong = cells.filter((cell) => problemOf(cell) !== undefined).length
  return [name, ...counts.map(String), String(wrong)]
}
