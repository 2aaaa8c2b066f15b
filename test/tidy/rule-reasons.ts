import type { Finding, SourceFile } from './source.ts'

const KERNEL_PATH = 'packages/kernel/src/error-reason.ts'
const PROTO_PATH = 'proto/holdfast/type/v1/error_reason.proto'

/** The kernel's reasons are the wire's reasons, in the same order. */
export function checkReasons(files: readonly SourceFile[]): Finding[] {
  const kernel = files.find((file) => file.path === KERNEL_PATH)
  const proto = files.find((file) => file.path === PROTO_PATH)
  if (kernel === undefined) return [missing(KERNEL_PATH)]
  if (proto === undefined) return [missing(PROTO_PATH)]
  const ours = kernelReasons(kernel.text)
  const wire = protoReasons(proto.text)
  if (ours.length === 0) return [missing(`ERROR_REASONS in ${KERNEL_PATH}`)]
  const findings: Finding[] = []
  const add = (subject: string, message: string): void => {
    findings.push({ path: KERNEL_PATH, line: 1, subject, message })
  }
  for (const name of ours) if (!wire.includes(name)) add(name, `${name} is not in ${PROTO_PATH}`)
  for (const name of wire) if (!ours.includes(name)) add(name, `${name} is only in ${PROTO_PATH}`)
  if (new Set(ours).size !== ours.length) add('ERROR_REASONS', 'a reason is listed twice')
  return findings
}

function missing(path: string): Finding {
  return { path, line: 1, subject: path, message: `${path} is missing` }
}

function kernelReasons(text: string): string[] {
  const list = /ERROR_REASONS\s*=\s*\[([^\]]*)\]/.exec(text)?.[1] ?? ''
  return Array.from(list.matchAll(/'([A-Z0-9_]+)'/g), (match) => match[1] ?? '')
}

function protoReasons(text: string): string[] {
  const body = /enum ErrorReason\s*\{([^]*?)\n\}/.exec(text)?.[1] ?? ''
  const names = Array.from(body.matchAll(/^\s*ERROR_REASON_([A-Z0-9_]+)\s*=/gm), (one) => one[1])
  return names.filter((name): name is string => name !== undefined && name !== 'UNSPECIFIED')
}
