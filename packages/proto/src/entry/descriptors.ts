import { fileURLToPath } from 'node:url'

/**
 * Path of the file with every message and service as a google.protobuf.FileDescriptorSet, imports
 * included, for gRPC reflection. It is made by `npm run gen` and always there.
 */
export const DESCRIPTOR_SET_PATH = fileURLToPath(
  new URL('../../descriptors.binpb', import.meta.url),
)
