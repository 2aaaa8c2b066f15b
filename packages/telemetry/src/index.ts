export * from './log.ts'
export * from './metric.ts'
export * from './redact.ts'
export * from './trace.ts'
