/**
 * Workflows run inside Temporal's sandbox; this entry is their contract with everybody outside it.
 *
 * Promise: ids, names and inputs here mean the same on both sides; an order has one workflow id, so
 * it is paid once; what enters a history is ids, states and reason names, never an amount, address
 * or token (I23).
 *
 * Traps. Histories outlive code: a changed workflow must replay every recorded one (`test/replay`),
 * and a changed input must still read an old one. The workflows themselves are reached only through
 * `checkout` and `onboarding`, which a bundle is made of: imported outside a sandbox they do not
 * run. Inside it there is no clock, network, file or random number but Temporal's, and of this
 * house only the kernel.
 */
export * from './contract.ts'
