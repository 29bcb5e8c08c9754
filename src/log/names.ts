// The names that stand in each record of lino.log: of the process that sent it, and of its logger.

/** Stands where the sender would for the log writer's own notes, which nobody sent. */
export const noSender = '-';

/**
 * The name of a sender as it stands in the log, `web[812]`: ASCII letters, digits and `._@+-`, then the
 * process number. Others become `_`.
 */
export function senderLabel(name: string, pid: number): string {
  return `${clean(name, 60) || 'process'}[${pid}]`;
}

/** A logger's name as it stands in the log: no spaces, no colons, `root` if it is empty. */
export function loggerName(name: string): string {
  return clean(name, 120) || 'root';
}

function clean(name: string, length: number): string {
  return name.slice(0, length).replace(/[^\w.@+-]/g, '_');
}

/** Whether this is the label of a sender, as {@link senderLabel} makes it. */
export function isSenderLabel(text: string): boolean {
  return /^[\w.@+-]{1,60}\[\d{1,10}\]$/.test(text);
}
