import { z } from 'zod'
import { problemSchema } from './http-problem.ts'
import type { Route } from './http-route.ts'

type Json = Readonly<Record<string, unknown>>

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: true,
  description:
    '1 to 255 visible characters, unique per caller and operation. The same content again gets ' +
    'the first answer, other content 422, one still running 409.',
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
}

/** OpenAPI 3.1 of the HTTP door, made of the same table that serves it. */
export function describeApi(routes: readonly Route[]): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const one of routes) {
    const path = (paths[one.path] ??= {})
    path[one.method.toLowerCase()] = operationOf(one)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast sellers',
      version: '1',
      description: 'Joining and trading as a seller. The same functions as gRPC SellerService.',
    },
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: { Problem: schemaOf(problemSchema, 'output') },
    },
    security: [{ bearer: [] }],
  }
}

function operationOf(one: Route): Json {
  return {
    operationId: one.operation,
    summary: one.summary,
    tags: [one.tag],
    ...(one.isPublic ? { security: [] } : {}),
    parameters: [
      ...parametersOf(one.params, 'path'),
      ...parametersOf(one.query, 'query'),
      ...(one.method === 'GET' ? [] : [IDEMPOTENCY_KEY]),
      ...(one.version === 'none' ? [] : [ifMatch(one.version === 'required')]),
    ],
    ...(one.hasBody
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(one.body, 'input') } },
          },
        }
      : {}),
    responses: {
      [one.status]: {
        description: 'Done',
        content: { 'application/json': { schema: schemaOf(one.answer, 'output') } },
      },
      default: {
        description: 'A problem (RFC 9457)',
        content: {
          'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
        },
      },
    },
  }
}

function ifMatch(required: boolean): Json {
  return {
    name: 'If-Match',
    in: 'header',
    required,
    description: 'The ETag of what this is based on; 412 when it changed since.',
    schema: { type: 'string', pattern: '^"\\d{1,19}"$' },
  }
}

function parametersOf(shape: z.ZodObject, where: 'path' | 'query'): readonly Json[] {
  const schema = schemaOf(shape, 'input')
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Json>>
  const required = (schema['required'] ?? []) as readonly string[]
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property
    return {
      name,
      in: where,
      required: required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    }
  })
}

function schemaOf(type: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(type, { target: 'draft-2020-12', io })
  return schema
}
