// What commands outside src/ are made of: those over the shipped procedures, in procedures/commands/.

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
} from './commands/main.js';
export {
  type Column,
  leastTime,
  print,
  printJson,
  printTable,
  rowJson,
  say,
  styled,
} from './commands/output.js';
export { type RunHereOptions, runHere } from './commands/run-here.js';
export { sayIfUnwoken, wakeWorkers } from './commands/wake.js';
export { parseWholeNumber } from './commands/words.js';
