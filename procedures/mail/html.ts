// HTML for mails, as a template that escapes every value except HTML.

/** Safe HTML: a result of {@link html}. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

type HtmlValue = string | number | null | undefined | false | Html | readonly HtmlValue[];

/**
 * Makes HTML from a template. Escapes values for elements and for quoted attributes; in lists, each item.
 * Null, undefined and false produce nothing. Inserts Html unchanged.
 *
 * @example
 * const page = html`<h1>${subject}</h1><ul>${orders.map((order) => html`<li>${order.name}</li>`)}</ul>`;
 * await queueMail(tx, { to, subject, text, html: page.text });
 */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(parts.map((part, i) => part + written(values[i])).join(''));
}

function written(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(written).join('');
  return String(value).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
