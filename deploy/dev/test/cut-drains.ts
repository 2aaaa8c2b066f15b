import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** How often, by the logs kept in this folder, a process was still busy when its drain was over. */
export function countCutDrains(dataFolder: string): number {
  const logs = path.join(dataFolder, 'logs')
  const texts = readdirSync(logs).map((name) => readFileSync(path.join(logs, name), 'utf8'))
  return texts.join('').split('The drain took too long').length - 1
}
