import { expect, test } from 'vitest'
import { advance, type Cursor, resumeAt } from './cursor.ts'

const cursor: Cursor = { epoch: 'a', createdAt: 'monday', streamSequence: 7, deliverySequence: 3 }

test('I18: a hole in the delivery sequence is a gap, a skipped stream sequence is not', () => {
  const skipped = advance(cursor, { epoch: 'a', streamSequence: 90, deliverySequence: 4 })
  expect(skipped).toEqual({ cursor: { ...cursor, streamSequence: 90, deliverySequence: 4 } })
  const hole = advance(cursor, { epoch: 'a', streamSequence: 8, deliverySequence: 5 })
  expect(hole).toEqual({ gap: 'delivery-hole' })
})

test('I18: a message of another epoch is a gap, one without an epoch is not', () => {
  const next = { streamSequence: 8, deliverySequence: 4 }
  expect(advance(cursor, { ...next, epoch: 'b' })).toEqual({ gap: 'new-epoch' })
  expect(advance(cursor, { ...next, epoch: undefined })).toHaveProperty('cursor')
})

test('I18: a follower resumes only in the same life of the stream', () => {
  const stream = { epoch: 'a', createdAt: 'monday', lastSequence: 7, messageCount: 1 }
  expect(resumeAt(cursor, stream)).toEqual({ ...cursor, deliverySequence: 0 })
  expect(resumeAt(undefined, stream)).toBeUndefined()
  expect(resumeAt(cursor, { ...stream, epoch: 'b' })).toBeUndefined()
  expect(resumeAt(cursor, { ...stream, createdAt: 'tuesday' })).toBeUndefined()
  expect(resumeAt(cursor, { ...stream, lastSequence: 6 })).toBeUndefined()
})
