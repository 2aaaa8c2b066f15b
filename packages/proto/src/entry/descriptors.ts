/**
 * Path of the file with every message and service as a google.protobuf.FileDescriptorSet, imports
 * included, for gRPC reflection. It is made by `npm run gen` and always there.
 */
export const DESCRIPTOR_SET_PATH = `${import.meta.dirname}/../../descriptors.binpb`
