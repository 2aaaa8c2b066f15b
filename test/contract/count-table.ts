import { ROW_CLASSES, type RowLeftOut } from './row.ts'
import type { RowResult } from './send-rows.ts'
import { CELL_KINDS, type Cell, problemOf } from './walk.ts'

/** How many calls of which kind each service was sent, and how many answers were wrong. */
export function countTable(cells: ReadonlyMap<string, readonly Cell[]>): string {
  const rows = Array.from(cells, ([service, own]) => rowOf(service, own))
  const total = rowOf('all', Array.from(cells.values()).flat())
  return inColumns([['service', ...CELL_KINDS, 'wrong'], ...rows, total])
}

/** How many rows of each class were sent, by how many calls, and how many were left out. */
export function rowTable(results: readonly RowResult[], leftOut: readonly RowLeftOut[]): string {
  const rows = ROW_CLASSES.map((name) => {
    const own = results.filter((one) => one.class === name)
    const calls = own.reduce((sum, one) => sum + one.calls, 0)
    const left = leftOut.filter((one) => one.class === name).length
    const wrong = own.filter((one) => one.problem !== undefined).length
    return [name, own.length, calls, left, wrong]
  })
  const sum = (column: number): number =>
    rows.reduce((total, row) => total + Number(row[column] ?? 0), 0)
  const all = ['all', sum(1), sum(2), sum(3), sum(4)]
  const head = ['class', 'rows', 'calls', 'left out', 'wrong']
  return inColumns([head, ...rows, all].map((row) => row.map(String)))
}

function inColumns(table: readonly (readonly string[])[]): string {
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
