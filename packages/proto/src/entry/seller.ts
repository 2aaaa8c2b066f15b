export * from '../gen/holdfast/seller/v1/seller_service.ts'
export * from '../gen/holdfast/seller/v1/seller_events.ts'
