/** What is so unless the configuration says otherwise. */

/** What a FileJournal is made with unless told otherwise. */
export const JOURNAL_DEFAULTS = {
  durability: 'power',
  syncIntervalMs: 250,
  segmentBytes: 8_388_608,
  maxBytes: 1_073_741_824,
  minFreeBytes: 67_108_864,
  holdMs: 600_000,
  maxDevices: 1_024,
  cacheRecords: 8_192,
  maxPending: 8_192,
} as const;
