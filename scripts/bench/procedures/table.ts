// The lines of the table: what was measured, and what is aimed at.

import { atLeast, atMost } from '../shared/aim.js';
import type { Line } from '../shared/report.js';

export const lines: readonly Line[] = [
  {
    work: 'checkdata, 1,000,000 rows and 5 checkers: rows',
    unit: 'a second',
    number: 'checkdata.linod.rows',
    aim: atLeast(200_000),
    beside: [],
  },
  {
    work: 'the same: memory at its end',
    unit: 'MiB',
    number: 'checkdata.linod.rssEnd',
    beside: [{ name: 'after a tenth', number: 'checkdata.linod.rssTenth', aim: atMost(1.25) }],
  },
  {
    work: 'the same: heap in use at its end, after a collection',
    unit: 'MiB',
    number: 'checkdata.linod.heapEnd',
    beside: [{ name: 'after a tenth', number: 'checkdata.linod.heapTenth', aim: atMost(1.25) }],
  },
  { work: 'a summary of 1,000,000 dirty keys', unit: 'a second', number: 'summary.linod.keys', beside: [] },
  {
    work: 'the same: memory at its end',
    unit: 'MiB',
    number: 'summary.linod.rssEnd',
    beside: [{ name: 'after a tenth', number: 'summary.linod.rssTenth' }],
  },
  {
    work: 'the same: heap in use at its end, after a collection',
    unit: 'MiB',
    number: 'summary.linod.heapEnd',
    beside: [{ name: 'after a tenth', number: 'summary.linod.heapTenth', aim: atMost(1.25) }],
  },
  {
    work: 'clearing 1,000,000 jobs while 1000 rules a second run: jobs',
    unit: 'a second',
    number: 'clearing.linod.jobs',
    beside: [],
  },
  {
    work: 'the same: its longest transaction, with a checkpoint',
    unit: 'ms',
    number: 'clearing.linod.longest',
    beside: [],
  },
  {
    work: 'the same: longest wait of another process for the database',
    unit: 'ms',
    number: 'clearing.linod.waitDuring',
    beside: [{ name: 'before', number: 'clearing.linod.waitBefore' }],
  },
  {
    work: 'the same, between the beginnings of seconds, when no rules begin',
    unit: 'ms',
    number: 'clearing.linod.waitBetween',
    aim: atMost(50),
    beside: [],
  },
  ...(['p50', 'p99'] as const).map(
    (quantile): Line => ({
      work: `the same: rules late by, ${quantile}`,
      unit: 'ms',
      number: `clearing.linod.${quantile}During`,
      beside: [
        {
          name: 'before',
          number: `clearing.linod.${quantile}Before`,
          ...(quantile === 'p99' ? { aim: atMost(1.5) } : {}),
        },
      ],
    }),
  ),
  {
    work: 'mails from the outbox to a server on this machine, 10 connections',
    unit: 'a second',
    number: 'mail.linod.mails',
    aim: atLeast(1000),
    beside: [{ name: "nodemailer's pool alone", number: 'mail.nodemailer.mails' }],
  },
  {
    work: 'digests of three mails for 10,000 users, made and sent',
    unit: 'a second',
    number: 'mail.linod.digests',
    beside: [],
  },
];
