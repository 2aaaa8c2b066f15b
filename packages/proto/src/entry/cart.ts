export * from '../gen/holdfast/cart/v1/cart_service.ts'
