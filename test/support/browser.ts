// Chromium for one test, which sees no network but 127.0.0.1.

import { type Browser, chromium, type Page } from 'playwright-core';
import type { Test } from 'tap';
import { eventually } from './programs.js';

const flags = ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];

/** Ended with the test. */
export async function startBrowser(t: Test): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
  t.teardown(() => browser.close());
  return browser;
}

/** A page of examples/chat, as its visitor uses it. */
export class ChatPage {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  /** Opens the room `lobby` of a server, and waits until the visitor can speak there. */
  static async open(browser: Browser, host: string): Promise<ChatPage> {
    const chat = new ChatPage(await browser.newPage());
    await chat.page.goto(`http://${host}/chat/lobby/`);
    await chat.isConnected();
    return chat;
  }

  async isConnected(): Promise<void> {
    await this.page.waitForFunction('socket.readyState === WebSocket.OPEN');
  }

  async say(text: string): Promise<void> {
    await this.page.fill('#text', text);
    await this.page.click('button');
  }

  /** What the page shows, line by line. */
  async lines(): Promise<string[]> {
    return await this.page.locator('#log div').allTextContents();
  }

  async shows(line: string): Promise<void> {
    await eventually(`the page shows ${JSON.stringify(line)}`, async () =>
      (await this.lines()).includes(line),
    );
  }
}
