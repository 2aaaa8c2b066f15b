import path from 'node:path'
import Table from 'cli-table3'
import { type Endpoints, endpointsFile } from './endpoints.ts'

/** What runs and where to look, for a person. */
export function summarize(endpoints: Endpoints, dataFolder: string): string {
  const table = new Table({
    head: ['process', 'gRPC', 'HTTP', '/metrics, /readyz', 'pid'],
    style: { head: [], border: [], compact: true },
  })
  for (const { name, copy, address, httpAddress, operationsAddress, pid } of endpoints.processes) {
    table.push([
      `${name} ${copy}`,
      address ?? '',
      httpAddress ?? '',
      operationsAddress ?? '',
      pid === undefined ? '' : String(pid),
    ])
  }
  for (const { name, address, pid } of endpoints.backing) {
    table.push([name, address, '', '', pid === undefined ? 'not ours' : String(pid)])
  }
  const look: [string, string | undefined][] = [
    ['Temporal Web UI', endpoints.webUi],
    ['Onboarding API', endpoints.onboardingApi],
    ['Payment simulator', endpoints.paymentSimulator],
    ['First operator', path.join(endpoints.secretsFolder, 'first-operator.json')],
    ['All addresses', endpointsFile(dataFolder)],
    ['Logs', endpoints.logsFolder],
  ]
  const lines = look
    .filter(([, where]) => where !== undefined)
    .map(([what, where]) => `  ${what.padEnd(18)} ${where}`)
  return `${table.toString()}\n${lines.join('\n')}`
}
