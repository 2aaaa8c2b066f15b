import { expect, test } from 'vitest'
import { createDisposer } from './dispose.ts'

test('what was opened last is closed first, and one failing close keeps nothing open', async () => {
  const closed: string[] = []
  const disposer = createDisposer()
  disposer.defer(() => void closed.push('database'))
  disposer.defer(() => {
    throw new Error('bus')
  })
  disposer.add({ [Symbol.asyncDispose]: async () => void closed.push('server') })
  await expect(disposer.dispose()).rejects.toThrow('bus')
  expect(closed).toEqual(['server', 'database'])
  await disposer.dispose()
  expect(closed).toHaveLength(2)
})
