// platform.ts is the one file of the bus that touches clock, random numbers and timers. This finds
// the others. Needs the pinned Node and the installed packages (oxc-parser).
import { parseSync } from 'oxc-parser'

/** Used in any way. */
const globals = new Set([
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate',
  'requestAnimationFrame',
  'cancelAnimationFrame',
  'requestIdleCallback',
  'cancelIdleCallback',
  'performance',
  'crypto',
])
/** Used as a member. */
const members = new Set(['Date.now', 'Math.random', 'process.hrtime', 'process.nextTick'])
/** Names of the global object. */
const globalObjects = new Set(['globalThis', 'self', 'window', 'global'])

/** TypeScript nodes that hold code which runs; all others are types. */
const running = new Set([
  'TSAsExpression',
  'TSSatisfiesExpression',
  'TSNonNullExpression',
  'TSTypeAssertion',
  'TSInstantiationExpression',
  'TSParameterProperty',
  'TSExportAssignment',
  'TSEnumDeclaration',
  'TSEnumBody',
  'TSEnumMember',
  'TSModuleDeclaration',
  'TSModuleBlock',
])

/**
 * Every use of a clock, a random number or a timer in one file.
 * @param {string} path
 * @param {string} source
 * @returns {{ line: number, what: string }[]}
 */
export function platformUses(path, source) {
  const { program, errors } = parseSync(path, source)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`)
  const declared = declaredNames(program)
  const uses = []
  const report = (node, what) => {
    uses.push({ line: source.slice(0, node.start).split('\n').length, what })
  }

  visit(program, (node, parent, key) => {
    if (node.type === 'NewExpression' || node.type === 'CallExpression') {
      const isDate = node.callee.type === 'Identifier' && node.callee.name === 'Date'
      if (isDate && node.arguments.length === 0) report(node, 'new Date()')
    }
    if (node.type === 'MemberExpression') {
      const object = globalName(node.object)
      const property = propertyName(node)
      if (object === 'global object' && globals.has(property)) report(node, property)
      else if (members.has(`${object}.${property}`)) report(node, `${object}.${property}`)
    }
    if (node.type === 'VariableDeclarator' && node.id.type === 'ObjectPattern' && node.init) {
      const object = globalName(node.init)
      for (const { key } of node.id.properties.filter(({ type }) => type === 'Property')) {
        const taken = key.name ?? key.value
        if (object === 'global object' && globals.has(taken)) report(key, taken)
        else if (members.has(`${object}.${taken}`)) report(key, `${object}.${taken}`)
      }
    }
    if (node.type === 'Identifier' && globals.has(node.name) && !declared.has(node.name)) {
      if (isReference(parent, key)) report(node, node.name)
    }
  })
  return uses
}

/** 'Date' for `Date` and `globalThis.Date`; 'global object' for `globalThis`. */
function globalName(node) {
  const inner = unwrap(node)
  if (inner.type === 'Identifier') {
    return globalObjects.has(inner.name) ? 'global object' : inner.name
  }
  if (inner.type === 'MemberExpression' && globalName(inner.object) === 'global object') {
    return propertyName(inner)
  }
  return undefined
}

function unwrap(node) {
  let inner = node
  while (
    inner.expression &&
    (running.has(inner.type) || inner.type === 'ParenthesizedExpression')
  ) {
    inner = inner.expression
  }
  return inner
}

function propertyName({ property, computed }) {
  if (!computed) return property.name
  return property.type === 'Literal' ? String(property.value) : undefined
}

/** Not a property's name, a label or a key. */
function isReference(parent, key) {
  if (key === 'property' && parent.type === 'MemberExpression') return parent.computed
  if (key === 'key') return parent.computed === true
  return key !== 'label' && key !== 'imported' && key !== 'exported'
}

/** Names this file declares itself, anywhere: they are not the globals. */
function declaredNames(program) {
  const names = new Set()
  const pattern = (node) => {
    if (!node) return
    if (node.type === 'Identifier') names.add(node.name)
    else if (node.type === 'ObjectPattern') {
      for (const property of node.properties) pattern(property.value ?? property.argument)
    } else if (node.type === 'ArrayPattern') node.elements.forEach(pattern)
    else if (node.type === 'AssignmentPattern') pattern(node.left)
    else if (node.type === 'RestElement') pattern(node.argument)
    else if (node.type === 'TSParameterProperty') pattern(node.parameter)
  }
  visit(program, (node) => {
    if (node.type === 'VariableDeclarator') pattern(node.id)
    if (/Function/.test(node.type)) {
      if (node.id) names.add(node.id.name)
      if (Array.isArray(node.params)) node.params.forEach(pattern)
    }
    if (/^Import.*Specifier$/.test(node.type)) names.add(node.local.name)
    if (node.type === 'CatchClause') pattern(node.param)
  })
  return names
}

function visit(node, enter, parent, key) {
  if (node.type.startsWith('TS') && !running.has(node.type)) return
  enter(node, parent, key)
  for (const [name, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child?.type === 'string') visit(child, enter, node, name)
    }
  }
}
