// Choices of a site about its log.

/** When the disk is waited for. */
export const syncPolicies = ['always', 'batch', 'never'] as const;
export type SyncPolicy = (typeof syncPolicies)[number];

/** What becomes of a spool that is full: the records in it stay, or they make room for new ones. */
export const spoolKeeps = ['oldest', 'newest'] as const;
export type SpoolKeeps = (typeof spoolKeeps)[number];
