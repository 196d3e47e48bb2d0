import { EVERYTHING, type LogQuery } from '../../activity/log-search.ts'

const FIELDS = [
  { key: 'types', name: 'Types', example: 'cart.* order.**', list: 'event-types' },
  { key: 'stream', name: 'Stream', example: 'order-7K2M9Q' },
  { key: 'correlationId', name: 'Correlation', example: 'id of its first event' },
  { key: 'text', name: 'Words', example: 'honey warehouse' },
] as const

const PATTERNS = ['**', 'cart.*', 'order.*', 'inventory.*', 'payment.*', 'shipping.*', 'load.sent']

interface Props {
  query: LogQuery
  change: (query: LogQuery) => void
}

export function QueryForm({ query, change }: Props) {
  return (
    <search>
      <form className="query" onSubmit={(event) => event.preventDefault()}>
        {FIELDS.map(({ key, name, example, ...more }) => (
          <label key={key}>
            <span>{name}</span>
            <input
              type="search"
              className="input"
              value={query[key]}
              placeholder={example}
              autoComplete="off"
              spellCheck={false}
              {...more}
              onChange={(event) => change({ ...query, [key]: event.target.value })}
              data-testid={`query-${key}`}
            />
          </label>
        ))}
        <datalist id="event-types">
          {PATTERNS.map((pattern) => (
            <option key={pattern} value={pattern} />
          ))}
        </datalist>
        <button
          type="button"
          className="button"
          disabled={Object.values(query).every((value) => value === '')}
          onClick={() => change(EVERYTHING)}
          data-testid="query-reset"
        >
          Show all
        </button>
      </form>
    </search>
  )
}
