export * from '../gen/holdfast/payment/v1/payment_service.ts'
export * from '../gen/holdfast/payment/v1/payment_events.ts'
