export * from './store-hold.ts'
export * from './store-level.ts'
export * from './store-restock.ts'
export * from './store-stock.ts'
