/** A text that is cut off in its cell is told whole where the pointer rests: looked at only then. */
export function hintAt(target: Element): void {
  const cell = target.closest<HTMLElement>('.cell')
  if (!cell) return
  const text = cell.querySelector('.ellipsis') ?? cell
  const hint = text.scrollWidth > text.clientWidth ? (text.textContent ?? '') : ''
  if (cell.title !== hint) cell.title = hint
}
