// The fields of a rule with their origins, and an editor that shows what would come of a change.

import { useEffect, useState } from 'preact/hooks';
import type { DueView, RuleView } from '../../../api.js';
import { request } from '../../api.js';
import { Action } from '../../parts/action.js';
import { typingMs } from '../../parts/fields.js';
import { Time } from '../../parts/time.js';
import { useResource } from '../../resource.js';
import { mayChange } from '../../session.js';

type Field = RuleView['fields'][number];
type Changes = Readonly<Record<string, string>>;

export function RuleFields({ rule }: { readonly rule: RuleView }) {
  const [changes, setChanges] = useState<Changes>({});
  const [previewed, setPreviewed] = useState<Changes>({});
  useEffect(() => {
    const timer = setTimeout(() => setPreviewed(changes), typingMs);
    return () => clearTimeout(timer);
  }, [changes]);
  const query = new URLSearchParams({ changes: JSON.stringify(previewed) });
  const preview = useResource<readonly DueView[]>(`rules/${rule.id}/next?${query}`, ['rules', 'jobs']);
  const refusal = preview.error.value;
  const isChanged = Object.keys(changes).length > 0;
  const change = (field: Field, text: string) => {
    const { [field.name]: _, ...others } = changes;
    setChanges(text === textOf(field) ? others : { ...others, [field.name]: text });
  };
  const save = async () => {
    const text = await request(`rules/${rule.id}/set`, { changes });
    setChanges({});
    return text;
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
          {refusal}
        </p>
        {refusal === null && <DueList times={preview.data.value ?? []} />}
        {isChanged && (
          <span class="actions">
            <Action class="primary" needs="admin" isDisabled={refusal !== null} run={save}>
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
  const isName = name === 'name';
  if (name === 'when' || (isName && at === null)) return null;
  if (!isName && override === null) return <b>Suggested.</b>;
  return (
    <b>
      {isName ? 'Named' : 'Overridden'} by {by ?? 'somebody'}
      {at !== null && ' at '}
      <Time at={at} withDate />
      {!isName && `; suggested: ${plain(suggestion) || 'none'}`}.
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

function DueList({ times }: { readonly times: readonly DueView[] }) {
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
