// The fields of a rule with their origins, and an editor that shows what would come of a change.

import { useEffect, useState } from 'preact/hooks';
import type { DueView, Requested, RuleView } from '../../api.js';
import { announce } from '../announce.js';
import { get, messageOf, post } from '../api.js';
import { Action } from '../parts/action.js';
import { Time } from '../parts/time.js';
import { mayChange } from '../session.js';

type Field = RuleView['fields'][number];
type Changes = Readonly<Record<string, string>>;

/** After the last key, in ms, before the due times are computed. */
const typingMs = 250;

interface RuleFieldsProps {
  readonly rule: RuleView;
}

export function RuleFields({ rule }: RuleFieldsProps) {
  const [changes, setChanges] = useState<Changes>({});
  const preview = usePreview(rule, changes);
  const isChanged = Object.keys(changes).length > 0;
  const change = (field: Field, text: string) => {
    const { [field.name]: _, ...others } = changes;
    setChanges(text === textOf(field) ? others : { ...others, [field.name]: text });
  };
  const save = async () => {
    const { text } = await post<Requested>(`rules/${rule.id}/set`, { changes });
    announce(`${rule.name}: ${text}`);
    setChanges({});
  };
  return (
    <div class="editor">
      <section aria-label="Fields">
        {mayChange('admin') && (
          <p class="quiet small">An empty field is as suggested. “none” empties one where that is allowed.</p>
        )}
        {rule.fields.map((field) => (
          <FieldRow key={field.name} field={field} text={changes[field.name]} onChange={change} />
        ))}
      </section>
      <section aria-label="Next times" class="preview">
        <h2>{isChanged ? 'Next times with these changes' : 'Next times'}</h2>
        <p class="bad" role="alert">
          {preview.refusal}
        </p>
        <DueList times={preview.times} />
        {isChanged && (
          <span class="actions">
            <Action class="primary" needs="admin" isDisabled={preview.refusal !== ''} run={save}>
              Save
            </Action>
            <button type="button" onClick={() => setChanges({})}>
              Discard
            </button>
          </span>
        )}
      </section>
    </div>
  );
}

interface FieldRowProps {
  readonly field: Field;
  /** What was typed; undefined while it is as saved. */
  readonly text: string | undefined;
  readonly onChange: (field: Field, text: string) => void;
}

function FieldRow({ field, text, onChange }: FieldRowProps) {
  const { name, allowed } = field;
  const id = `field-${name}`;
  return (
    <div class={text === undefined ? 'field' : 'field is-changed'}>
      <label for={id}>{name}</label>
      <div>
        {mayChange('admin') ? (
          <input
            id={id}
            value={text ?? textOf(field)}
            placeholder={placeholderOf(field)}
            aria-describedby={`${id}-origin`}
            spellcheck={false}
            autocomplete="off"
            onInput={({ currentTarget: { value } }) => onChange(field, value)}
          />
        ) : (
          <output id={id}>{textOf(field) || placeholderOf(field)}</output>
        )}
        <p class="quiet small" id={`${id}-origin`}>
          <Origin field={field} /> {allowed}
        </p>
      </div>
    </div>
  );
}

function Origin({ field: { name, override, suggestion, by, at } }: { readonly field: Field }) {
  if (name === 'when' || (name === 'name' && at === null)) return null;
  if (name !== 'name' && override === null) return <b>Suggested.</b>;
  return (
    <b>
      {name === 'name' ? 'Named' : 'Overridden'} by {by ?? 'somebody'}
      {at !== null && (
        <>
          {' at '}
          <Time at={at} withDate />
        </>
      )}
      {name !== 'name' && `; suggested: ${plain(suggestion) || 'none'}`}.
    </b>
  );
}

/** What the field holds: of an override only, so that an empty field is the suggestion. */
function textOf({ name, override, effective }: Field): string {
  if (name === 'name') return plain(effective);
  return override === null ? '' : plain(override) || 'none';
}

function placeholderOf({ suggestion, effective }: Field): string {
  return plain(suggestion) || plain(effective) || (suggestion === null ? '' : 'none');
}

function plain(value: unknown): string {
  return Array.isArray(value) ? value.join(',') : String(value ?? '');
}

interface Preview {
  readonly times: readonly DueView[];
  /** Why the changes are refused; empty when they are not. */
  readonly refusal: string;
}

/** The next due times, as if the changes were made. */
function usePreview(rule: RuleView, changes: Changes): Preview {
  const [preview, setPreview] = useState<Preview>({ times: [], refusal: '' });
  const text = JSON.stringify(changes);
  // Whoever changes the rule elsewhere changes its due times, too.
  const state = JSON.stringify(rule.fields) + rule.nextAt;
  useEffect(() => {
    const abort = new AbortController();
    const load = () =>
      get<readonly DueView[]>(
        `rules/${rule.id}/next?${new URLSearchParams({ changes: text })}`,
        abort.signal,
      ).then(
        (times) => setPreview({ times, refusal: '' }),
        (error: unknown) => {
          if (!abort.signal.aborted) setPreview({ times: [], refusal: messageOf(error) });
        },
      );
    const timer = setTimeout(load, text === '{}' ? 0 : typingMs);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [rule.id, text, state]);
  return preview;
}

function DueList({ times }: Pick<Preview, 'times'>) {
  if (times.length === 0) return <p class="quiet">No due times.</p>;
  return (
    <ol class="due">
      {times.map(({ at, wall, note }) => (
        <li key={wall} class={at === null ? 'quiet' : undefined}>
          <span class="number">{wall.replace('T', ' ')}</span> <span class="small">{note}</span>
        </li>
      ))}
    </ol>
  );
}
