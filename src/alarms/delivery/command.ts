// Alarms by a program of the site: the notice as JSON on its standard input, and in its environment.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { LinodError } from '../../base/errors.js';
import type { Site } from '../../site/site.js';
import type { Notice, Way } from './notice.js';

const longestMs = 30_000;

/** The program has not accepted a notice. */
export class AlarmCommandError extends LinodError {
  constructor(command: string, problem: string) {
    super('LINOD_ERR_ALARM_COMMAND', `${command} ${problem}`);
  }
}

export function commandWay({ directory, settings }: Site): Way {
  const [program = '', ...args] = settings.alarmCommand;
  return {
    name: 'command',
    most: 1,
    async send([notice], signal) {
      if (notice === undefined) return '';
      const child = spawn(program, args, {
        cwd: directory,
        env: { ...process.env, ...environmentOf(notice) },
        stdio: ['pipe', 'ignore', 'pipe'],
        // Leads a group, so that whatever it has started ends with it.
        detached: true,
      });
      let said = '';
      child.stderr.on('data', (data) => {
        said = `${said}${data}`.slice(-500);
      });
      // A program that does not read it is no failure.
      child.stdin.on('error', () => undefined);
      child.stdin.end(`${JSON.stringify(notice)}\n`);
      const stop = AbortSignal.any([signal, AbortSignal.timeout(longestMs)]);
      const kill = () => killGroup(child.pid);
      stop.addEventListener('abort', kill);
      try {
        const [code, killedBy] = await once(child, 'exit');
        if (code === 0) return 'exit 0';
        const how = stop.aborted
          ? `did not end within ${longestMs / 1000} s`
          : `ended with ${killedBy ?? code}`;
        throw new AlarmCommandError(program, `${how}${said === '' ? '' : `: ${said.trim()}`}`);
      } finally {
        stop.removeEventListener('abort', kill);
      }
    },
  };
}

const shown = ['site', 'state', 'kind', 'subject', 'text'] as const;

function environmentOf(notice: Notice): Record<string, string> {
  const values = shown.map((name) => [`LINOD_ALARM_${name.toUpperCase()}`, notice[name]]);
  return { LINOD_ALARM_ID: String(notice.alarm), ...Object.fromEntries(values) };
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}
