/**
 * Compiles workflows for the process that started it and ends: webpack leaves some 140 MB resident
 * behind, which a worker would keep for its whole life. Arguments: the workflows' module, then the
 * modules of workflow interceptors. The answer, a `CompileAnswer`, goes over the channel.
 */
import { bundleWorkflowCode } from '@temporalio/worker'
import type { CompileAnswer } from './bundle.ts'

/** Webpack's lines are of no use to an operator, but for those that say what is wrong. */
const problems: string[] = []
const LOGGER = {
  log: () => undefined,
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (line: string) => void problems.push(line),
}

async function compile(): Promise<CompileAnswer> {
  const [workflowsPath = '', ...workflowInterceptorModules] = process.argv.slice(2)
  try {
    const options = { workflowsPath, workflowInterceptorModules, logger: LOGGER }
    return { kind: 'compiled', code: (await bundleWorkflowCode(options)).code }
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error)
    return { kind: 'failed', message: [told, ...problems].join('\n') }
  }
}

const answer = await compile()
// Whoever asked may be gone meanwhile; then nobody wants the answer.
process.send?.(answer, () => {
  process.disconnect?.()
})
