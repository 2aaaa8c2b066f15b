import { connect } from 'node:net'

/**
 * Deletes a JetStream stream behind everybody's back, in NATS's own text protocol. Resolves when
 * the server has taken the request. `url` is `nats://host:port`.
 */
export async function deleteStream(url: string, stream: string): Promise<void> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let told = ''
  socket.on('error', reject)
  socket.on('data', (chunk) => {
    told += chunk.toString('utf8')
    // The answer to PING comes after everything sent before it was taken.
    if (told.includes('PONG')) resolve()
  })
  socket.write(`CONNECT {"verbose":false}\r\nPUB $JS.API.STREAM.DELETE.${stream} 0\r\n\r\nPING\r\n`)
  try {
    await promise
  } finally {
    socket.destroy()
  }
}
