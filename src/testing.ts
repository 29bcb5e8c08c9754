// `linod/testing`: for the tests of applications. What is not listed here is free to change.

export * from '../channels/communicators.js';
export * from '../channels/testing.js';
export { ManualClock } from './testing/manual-clock.js';
export {
  NeverDoneError,
  openTestSite,
  type PlannedRun,
  type TestRecord,
  TestSite,
  type TestSiteOptions,
} from './testing/test-site.js';
