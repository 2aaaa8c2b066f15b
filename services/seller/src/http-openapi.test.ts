import { access } from './access.ts'
import { expect, test } from 'vitest'
import { describeApi } from './http-openapi.ts'
import { ROUTES } from './http-routes.ts'

interface Operation {
  readonly operationId: string
  readonly parameters: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: unknown
}

const description = describeApi(ROUTES) as {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

test('every route is described, each under one operation id, with its path parameters', () => {
  expect(description.openapi).toBe('3.1.0')
  expect(operations).toHaveLength(ROUTES.length)
  expect(new Set(operations.map((one) => one.operation.operationId)).size).toBe(ROUTES.length)
  for (const { path, operation } of operations) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
    const described = operation.parameters.filter((one) => one.in === 'path')
    expect(described.map((one) => one.name)).toEqual(inPath)
  }
})

test('every write asks for an Idempotency-Key and no read does', () => {
  for (const { method, operation } of operations) {
    const names = operation.parameters.map((one) => one.name)
    const said = `${operation.operationId} ${names.includes('Idempotency-Key')}`
    expect(said).toBe(`${operation.operationId} ${method !== 'get'}`)
  }
})

test('every RPC of the service has a route', () => {
  const ids = new Set(ROUTES.map((route) => route.operation))
  const missing = Object.keys(access).filter((name) => !ids.has(name))
  expect(missing).toEqual(['setShippingProfile'])
  expect(ids).toContain('createShippingProfile')
  expect(ids).toContain('replaceShippingProfile')
})

test('the description is plain JSON', () => {
  const again: unknown = JSON.parse(JSON.stringify(description))
  expect(again).toEqual(description)
})
