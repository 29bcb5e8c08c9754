// What clients say on the log socket, in chunks of any size.

import t from 'tap';
import { Conversation } from '../../../../src/log/socket/conversation.js';
import { maxFrameBytes } from '../../../../src/log/socket/frames.js';
import { Random } from '../../../support/random.js';

/** A frame of SocketHandler with the dict `{'msg': text}`. */
function frame(text: string): Buffer {
  const message = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(message.length);
  const pickle = [Buffer.from('}X\x03\0\0\0msgX', 'latin1'), length, message, Buffer.from('s.')];
  return framed(Buffer.concat(pickle));
}

function framed(body: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

/** What is made of bytes that come in random chunks. */
function heard(bytes: Buffer, random: Random) {
  const records: string[] = [];
  const problems: string[] = [];
  let flushes = 0;
  const conversation = new Conversation({
    onRecord: ({ message, msg }) => records.push(message ?? msg ?? ''),
    onProblem: (problem) => problems.push(problem instanceof Error ? problem.message : String(problem)),
    onFlush: () => {
      flushes++;
    },
  });
  for (let at = 0; at < bytes.length; ) {
    const length = random.chance(0.5) ? random.whole(1, 5) : random.whole(1, 70_000);
    conversation.push(bytes.subarray(at, at + length));
    at += length;
  }
  conversation.end();
  return { records, problems, flushes };
}

const random = new Random();

t.test(
  `frames are read however they come, and one that is too long is skipped (SEED=${random.seed})`,
  async (t) => {
    const long = 'x'.repeat(300_000);
    const bytes = Buffer.concat([
      frame('one'),
      framed(Buffer.alloc(maxFrameBytes + 1)),
      frame(long),
      framed(Buffer.alloc(0)),
      frame('three'),
    ]);
    for (let i = 0; i < 10; i++) {
      t.match(heard(bytes, random), {
        records: ['one', long, 'three'],
        problems: [
          `a frame of ${maxFrameBytes + 1} bytes was skipped; 1 MiB is read at most`,
          'the pickle ends in the middle of a value',
        ],
      });
      t.match(heard(bytes.subarray(0, -1), random), {
        records: ['one', long],
        problems: [String, String, 'the connection ended in the middle of a frame'],
      });
    }
  },
);

t.test('what is no frame after a frame ends the conversation', async (t) => {
  t.throws(() => heard(Buffer.concat([frame('one'), Buffer.from('text')]), random), {
    code: 'LINOD_ERR_NO_FRAME',
  });
});

t.test('a stream of zeros ends the conversation before it keeps others waiting', async (t) => {
  const problems: unknown[] = [];
  const conversation = new Conversation({
    onRecord: () => t.fail('there is no record'),
    onProblem: (problem) => problems.push(problem),
    onFlush: () => t.fail('nobody asks for it'),
  });
  t.throws(() => conversation.push(Buffer.alloc(65_536)), {
    code: 'LINOD_ERR_NO_FRAME',
    message: '100 frames in a row could not be read: these are no frames of SocketHandler',
  });
  t.equal(problems.length, 100);
  const empty = framed(Buffer.alloc(0));
  const nowAndThen = Buffer.concat(Array.from({ length: 300 }, () => [empty, frame('x')]).flat());
  t.equal(heard(nowAndThen, random).records.length, 300, 'what can be read in between is a sign of frames');
});

t.test('lines of text and of JSON are distinguished, each by itself', async (t) => {
  const bytes = Buffer.from('a line\n  and more\n{"msg":"object"}\n{no object\n{"flush":true}\nlast');
  for (let i = 0; i < 10; i++) {
    const expected = {
      records: ['a line\n  and more', 'object', '{no object', 'last'],
      problems: [],
      flushes: 1,
    };
    t.same(heard(bytes, random), expected);
  }
  t.match(heard(Buffer.from('{"msg":"x","levelno":"high"}\n'), random), {
    records: [],
    problems: [/levelno/],
  });
});
