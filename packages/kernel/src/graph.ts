/** A state graph as data: each state with the states it may move to. */
export type StateGraph<S extends string> = Readonly<Record<S, readonly S[]>>

/** True when the graph allows `from` → `to`. Staying is not a move. */
export function canMove<S extends string>(graph: StateGraph<S>, from: S, to: S): boolean {
  return graph[from].includes(to)
}

/** True when no move leaves the state. */
export function isTerminal<S extends string>(graph: StateGraph<S>, state: S): boolean {
  return graph[state].length === 0
}
