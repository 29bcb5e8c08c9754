// The consumer of a chat room: what one visitor says, all of the room get. Messages and the group's name are those of the
// tutorial of Django Channels, so that its consumer under daphne talks in the same room over one Redis.

import {
  type HandledTypes,
  type Handlers,
  JsonWebsocketConsumer,
  type Message,
  SlowClient,
} from 'linod/channels';

interface ChatMessage extends Message {
  readonly type: 'chat.message';
  readonly message: string;
}

const maxLength = 1000;

export class Chat extends JsonWebsocketConsumer<ChatMessage> implements Handlers<ChatMessage> {
  override readonly handles: HandledTypes<ChatMessage> = {
    'chat.message': ({ message }) => ({ type: 'chat.message', message: textOf(message) }),
  };
  override readonly slowClient = SlowClient.dropOldest({
    announce: (dropped) => JSON.stringify({ message: `… ${dropped} messages left out …` }),
  });

  override async connect() {
    await this.groupAdd(this.#group);
    await this.accept();
  }

  override async receiveJson(content: unknown) {
    const said: unknown =
      typeof content === 'object' && content !== null ? Reflect.get(content, 'message') : '';
    await this.layer.groupSend(this.#group, { type: 'chat.message', message: textOf(said) } as ChatMessage);
  }

  async chatMessage({ message }: ChatMessage) {
    await this.sendJson({ message });
  }

  get #group(): string {
    return `chat_${(this.scope.urlRoute?.kwargs.room ?? '').replace(/[^\w.-]/g, '-').slice(0, 80)}`;
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, maxLength) : '';
}
