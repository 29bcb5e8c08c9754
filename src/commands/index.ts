// What the commands in procedures/commands/ use.

export {
  ExitError,
  exitCodes,
  jsonOption,
  person,
  requireSite,
  type SiteFlags,
  type SiteStore,
  siteOption,
  withSiteStore,
  withStore,
} from './main.js';
export { type RunHereOptions, runHere } from './start/run-here.js';
export {
  type Column,
  leastTime,
  print,
  printJson,
  printTable,
  rowJson,
  say,
  styled,
} from './views/output.js';
export { parseWholeNumber } from './views/words.js';
export { sayIfUnwoken, wakeWorkers } from './wake.js';
