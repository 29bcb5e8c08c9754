// linod: the program with all its commands.

import { Command } from 'commander';
import { version } from '../base/version.js';
import { alarmsCommand } from './alarms/alarms.js';
import { backupCommand } from './backup/backup.js';
import { moveCommand } from './backup/move.js';
import { restoreCommand } from './backup/restore.js';
import { channelsCommand } from './channels/channels.js';
import { completionCommand } from './completion/completion.js';
import { consoleCommand } from './console/console.js';
import { doctorCommand } from './doctor.js';
import { healthCommand } from './health.js';
import { initCommand } from './init.js';
import { installServiceCommand } from './install-service.js';
import { jobCommand } from './jobs/job.js';
import { jobsCommand } from './jobs/jobs.js';
import { logCommand } from './log/log.js';
import { jsonOption, refuseUnknownCommand, type SiteJsonFlags, siteOption } from './main.js';
import { migrateCommand } from './migrate.js';
import { proceduresCommand } from './procedures.js';
import { ruleCommand } from './rules/rule.js';
import { rulesCommand } from './rules/rules.js';
import { simulateCommand } from './simulate.js';
import { socketsCommand } from './sockets.js';
import { startCommand } from './start/runworker.js';
import { serveCommand } from './start/serve.js';
import { showStatus, statusCommand, statusHelp } from './status.js';
import { whyCommand } from './why.js';
import { workersCommand } from './workers.js';

/** @param more commands from outside, such as those of the shipped procedures; they follow the daemon's own */
export function linodProgram(more: readonly Command[] = []): Command {
  const program = new Command('linod')
    .description('the background daemon of a site: its rules, jobs, workers and log')
    .version(version)
    .addOption(siteOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Without a command it prints the status of all tasks. ${statusHelp}

Example:
  $ linod
  $ linod rule 3 run --wait`,
    )
    // So that a mistyped command is not reported as too many arguments.
    .allowExcessArguments()
    .action(async (flags: SiteJsonFlags) => {
      refuseUnknownCommand(program);
      await showStatus(flags);
    })
    // The program reads --site and --json before and after the name of the command.
    .hook('preAction', (_program, command) => shareOptions(program, command));
  for (const command of [
    initCommand(),
    startCommand(),
    serveCommand(),
    consoleCommand(),
    statusCommand(),
    rulesCommand(),
    ruleCommand(),
    whyCommand(),
    jobsCommand(),
    jobCommand(),
    simulateCommand(),
    proceduresCommand(),
    logCommand(),
    workersCommand(),
    alarmsCommand(),
    channelsCommand(),
    socketsCommand(),
    migrateCommand(),
    doctorCommand(),
    healthCommand(),
    installServiceCommand(),
    backupCommand(),
    restoreCommand(),
    moveCommand(),
    completionCommand(),
    ...more,
  ]) {
    program.addCommand(command);
  }
  return program;
}

/** Passes the options of the program on to a command. */
function shareOptions(program: Command, command: Command): void {
  for (const [name, value] of Object.entries(program.opts())) command.setOptionValue(name, value);
}
