// The page of a chat room.

import { readFileSync } from 'node:fs';
import { HttpConsumer } from 'linod/channels';

const page = readFileSync(new URL('page.html', import.meta.url));

export class Page extends HttpConsumer {
  override async handle() {
    await this.sendResponse(200, page, { 'content-type': 'text/html; charset=utf-8' });
  }
}
