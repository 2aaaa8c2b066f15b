export * from '../gen/holdfast/checkout/v1/checkout_service.ts'
export * from '../gen/holdfast/checkout/v1/checkout_events.ts'
