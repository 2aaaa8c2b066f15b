export * from './backing-context.ts'
export * from './clock.ts'
export * from './database.ts'
export * from './eventually.ts'
