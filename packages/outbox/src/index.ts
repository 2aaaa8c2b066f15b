export * from './append.ts'
export * from './migrations.ts'
