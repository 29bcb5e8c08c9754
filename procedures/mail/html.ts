// HTML of mails, written as a template in which every value is escaped unless it is HTML itself.

/** HTML that is as it should be: what {@link html} made. */
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
 * Makes HTML of a template. Values are escaped, for elements and for attributes in quotes; of lists, each item. Null,
 * undefined and false stand for nothing. HTML that was made before goes in as it is.
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
