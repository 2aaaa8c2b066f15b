/**
 * Compiles workflows for the process that started it and ends: webpack leaves some 140 MB resident
 * behind, which a worker would keep for its whole life. Arguments: the workflows' module, then the
 * modules of workflow interceptors. The answer, a `CompileAnswer`, goes over the channel.
 */
import { bundleWorkflowCode } from '@temporalio/worker'
import type { CompileAnswer } from './bundle.ts'

/** Webpack's own lines are of no use to an operator; its errors arrive as a rejection. */
const QUIET = {
  log: () => undefined,
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

async function compile(): Promise<CompileAnswer> {
  const [workflowsPath = '', ...workflowInterceptorModules] = process.argv.slice(2)
  try {
    const options = { workflowsPath, workflowInterceptorModules, logger: QUIET }
    return { kind: 'compiled', code: (await bundleWorkflowCode(options)).code }
  } catch (error) {
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error) }
  }
}

const answer = await compile()
// Whoever asked may be gone meanwhile; then nobody wants the answer.
process.send?.(answer, () => {
  process.disconnect?.()
})
