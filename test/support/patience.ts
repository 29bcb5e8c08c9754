// Patience of tests with servers that are there, only slow.

/**
 * Milliseconds for a layer's `timeoutMs` where a test is not about a server that is away: on a busy machine a reply, or
 * this process's own turn to read it, may take longer than the default of 2 s.
 */
export const patientMs = 30_000;
