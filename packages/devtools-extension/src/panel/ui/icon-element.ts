/** Drawings for what is drawn without React. */
import { type IconName, LINES } from './icon.tsx'

const SVG = 'http://www.w3.org/2000/svg'
const drawn = new Map<IconName, SVGElement>()

/** @param label what it says, where no text beside it does */
export function iconElement(name: IconName, label?: string): SVGElement {
  let icon = drawn.get(name)
  if (!icon) {
    icon = document.createElementNS(SVG, 'svg')
    icon.setAttribute('class', 'icon')
    icon.setAttribute('viewBox', '0 0 16 16')
    const path = document.createElementNS(SVG, 'path')
    path.setAttribute('d', LINES[name])
    icon.append(path)
    drawn.set(name, icon)
  }
  const copy = icon.cloneNode(true) as SVGElement
  if (label === undefined) copy.setAttribute('aria-hidden', 'true')
  else {
    copy.setAttribute('role', 'img')
    copy.setAttribute('aria-label', label)
  }
  return copy
}
