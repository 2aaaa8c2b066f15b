export * from '../gen/holdfast/inventory/v1/inventory_service.ts'
export * from '../gen/holdfast/inventory/v1/inventory_events.ts'
