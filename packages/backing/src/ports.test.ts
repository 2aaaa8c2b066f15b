import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { freePorts, LOOPBACK, parseAddress, parsePort, requireFreePorts } from './ports.ts'

test.each(['0', '65536', '-1', '1.5', 'http', '', '1e3', ' 80'])('"%s" is no port', (raw) => {
  expect(() => parsePort(raw, '--port')).toThrow(/--port must be a port number/)
})

test('a port and an address are read', () => {
  expect(parsePort('65535', '--port')).toBe(65_535)
  expect(parseAddress('127.0.0.1:7233', 'X')).toEqual({ host: '127.0.0.1', port: 7233 })
  expect(parseAddress('[::1]:7233', 'X')).toEqual({ host: '::1', port: 7233 })
  expect(() => parseAddress('7233', 'X')).toThrow(/X must be host:port/)
})

test('free ports are different, can be bound, and lie below those lent to clients', async () => {
  const ports = await freePorts(20)
  expect(new Set(ports).size).toBe(20)
  expect(Math.max(...ports)).toBeLessThan(32_768)
  await requireFreePorts(Object.fromEntries(ports.map((port) => [`port ${port}`, port])))
})

test('a busy port is named in one line', async () => {
  const server = createServer()
  const [port = 0] = await freePorts(1)
  await new Promise<void>((resolve) => server.listen({ host: LOOPBACK, port }, resolve))
  try {
    const line = `Port ${port} (nats) is in use by another program.`
    await expect(requireFreePorts({ nats: port })).rejects.toThrow(line)
  } finally {
    server.close()
  }
})
