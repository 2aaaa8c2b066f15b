import { expect, test } from 'vitest'
import { type StateGraph, canMove, isTerminal } from './graph.ts'

type State = 'OPEN' | 'HELD' | 'DONE'
const GRAPH: StateGraph<State> = { OPEN: ['HELD', 'DONE'], HELD: ['OPEN'], DONE: [] }
const STATES: readonly State[] = ['OPEN', 'HELD', 'DONE']

test('I10: a move is allowed exactly where the graph has an edge, and staying is no move', () => {
  const moves = STATES.flatMap((from) =>
    STATES.filter((to) => canMove(GRAPH, from, to)).map((to) => `${from}>${to}`),
  )
  expect(moves).toEqual(['OPEN>HELD', 'OPEN>DONE', 'HELD>OPEN'])
})

test('a state is terminal when nothing leads out of it', () => {
  expect(STATES.filter((state) => isTerminal(GRAPH, state))).toEqual(['DONE'])
})
