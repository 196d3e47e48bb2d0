/** How far a read is. */
export function Progress({ value, label }: { value: number; label: string }) {
  return (
    <div className="progress" data-testid="progress">
      <progress max={1} value={value} aria-label={label} />
      <span>
        {label}, {Math.round(value * 100)} %
      </span>
    </div>
  )
}
