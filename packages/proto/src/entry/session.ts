export * from '../gen/holdfast/session/v1/session_service.ts'
export * from '../gen/holdfast/session/v1/session_events.ts'
