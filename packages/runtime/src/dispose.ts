/**
 * Collects what a composition root opens and closes it in reverse order, each within its turn; one
 * failing close does not keep the others open. Fails afterwards with the first failure.
 */
export function createDisposer(): {
  add<T extends AsyncDisposable>(resource: T): T
  defer(close: () => Promise<void> | void): void
  dispose(): Promise<void>
} {
  const closes: (() => Promise<void> | void)[] = []
  return {
    add: (resource) => {
      closes.push(async () => resource[Symbol.asyncDispose]())
      return resource
    },
    defer: (close) => void closes.push(close),
    dispose: async () => {
      const failures: unknown[] = []
      for (const close of closes.splice(0).toReversed()) {
        try {
          await close()
        } catch (error) {
          failures.push(error)
        }
      }
      if (failures.length > 0) throw failures[0]
    },
  }
}
