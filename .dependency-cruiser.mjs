// Imports go one way. In packages/bus: a stage imports foundation files, its own folder, and other
// stages' interface files as types; only bus.ts wires stages. Everyone else uses the published doors.
// Run by scripts/check-imports.mjs; each rule is tried in scripts/import-rules.test.ts.

const bus = '^packages/bus/src'
const relay = '^packages/edge-relay/src'
/** What makes a relay a server, of its package. */
const server = `${relay}/((relay|connection|index)[.]ts$|connection/)`
const devtools = '^packages/devtools-extension/src'
const tests = '[.](test|test-d)[.]tsx?$'

const foundation = `${bus}/(options|types|types/[a-z]+|errors|event|part|platform)[.]ts$`
/** Those that describe the public face: they may name the interfaces. */
const face = `${bus}/(options|types|types/[a-z]+)[.]ts$`

const stages =
  '(codec|batch|dispatch|log|consume|read|sync|device|links|schema|protocol|inspect|middleware|request)'
/** The stage that is one file. */
const stageFiles = '(presence)[.]ts'

/** What stages may know of each other, as types. */
const interfaces = `${bus}/(log/log|log/consumers|log/record|links/link|codec/codec|protocol/frames|schema/schema|batch/batch|dispatch/dispatch|sync/sync|request/requests?|inspect/tap|inspect/frames|inspect/consuming|consume/types)[.]ts$`

/** Pure functions shared with the relay: these may be run by some. */
const protocol = `${bus}/protocol/`
const protocolUsers = '(sync|links|log|read|dispatch|codec|inspect|request)'

const reactPackage = ['^react$', '^node_modules/react/', '^node_modules/@types/react/']

/** The door for inspectors: it exports the codec beside the frames, and the stage does not import it. */
const inspectDoor = `${bus}/inspect/index[.]ts$`

const asTypes = ['type-only', 'type-import']

/** The core of the relay. */
const pureRoom = `${relay}/(room|judge|revisions|chain|guard/nesting|group/(core|state))[.]ts$`
/** The doors of the bus that edge-relay's room may use, built or not. */
const protocolDoor =
  '^((packages/bus|node_modules/@crosstown/bus)/dist/protocol/|@crosstown/bus/protocol$)'

export default {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Types count too: a cycle of types is two files that are one.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'everything-resolves',
      comment: 'An import nobody can resolve is one no rule can judge.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^(npm:|jsr:|cloudflare:|bun:)|[?]|^virtual:' },
    },

    // packages/bus
    {
      name: 'foundation-stands-alone',
      comment: 'Foundation files import only each other.',
      severity: 'error',
      from: { path: foundation, pathNot: face },
      to: { pathNot: foundation },
    },
    {
      name: 'face-knows-interfaces',
      comment: 'options.ts and types.ts import foundation files, and interface files.',
      severity: 'error',
      from: { path: face },
      to: { pathNot: [foundation, interfaces] },
    },
    {
      name: 'face-knows-interfaces-as-types',
      comment: 'options.ts and types.ts import interface files as types only.',
      severity: 'error',
      from: { path: face },
      to: { path: interfaces, dependencyTypesNot: asTypes },
    },
    {
      name: 'stages-know-interfaces-only',
      comment: 'A stage imports nothing of another stage but its interface files.',
      severity: 'error',
      from: { path: `${bus}/${stages}/`, pathNot: tests },
      to: { path: `${bus}/[^/]+/`, pathNot: [`${bus}/$1/`, interfaces, protocol] },
    },
    {
      name: 'stages-know-interfaces-as-types',
      comment: 'Interface files of other stages are imported as types only.',
      severity: 'error',
      from: { path: `${bus}/${stages}/`, pathNot: [tests, inspectDoor] },
      to: { path: interfaces, pathNot: [`${bus}/$1/`, protocol], dependencyTypesNot: asTypes },
    },
    {
      name: 'stage-files-know-interfaces-only',
      comment: 'presence.ts is a stage of one file.',
      severity: 'error',
      from: { path: `${bus}/${stageFiles}$` },
      to: { path: `${bus}/([^/]+/|${stageFiles}$)`, pathNot: [interfaces] },
    },
    {
      name: 'stage-files-know-interfaces-as-types',
      comment: 'presence.ts imports interface files as types only.',
      severity: 'error',
      from: { path: `${bus}/${stageFiles}$` },
      to: { path: interfaces, dependencyTypesNot: asTypes },
    },
    {
      name: 'stages-do-not-use-stage-files',
      comment: 'A folder of a stage does not know presence.ts.',
      severity: 'error',
      from: { path: `${bus}/${stages}/`, pathNot: tests },
      to: { path: `${bus}/${stageFiles}$` },
    },
    {
      name: 'protocol-is-run-by-few',
      comment:
        'Only sync, links, log (and testing) run protocol/; others import frames.ts as types.',
      severity: 'error',
      from: {
        path: `${bus}/${stages}/`,
        pathNot: [tests, `${bus}/protocol/`, `${bus}/${protocolUsers}/`],
      },
      to: { path: protocol, pathNot: interfaces },
    },
    {
      name: 'protocol-frames-as-types',
      comment:
        'Only sync, links, log (and testing) run protocol/; others import frames.ts as types.',
      severity: 'error',
      from: {
        path: `${bus}/${stages}/`,
        pathNot: [tests, `${bus}/protocol/`, `${bus}/${protocolUsers}/`],
      },
      to: { path: `${bus}/protocol/frames[.]ts$`, dependencyTypesNot: asTypes },
    },
    {
      name: 'only-bus-wires',
      comment: 'Nothing below knows bus.ts or index.ts; index.ts and testing/ are doors.',
      severity: 'error',
      from: { path: `${bus}/`, pathNot: [tests, `${bus}/((index|all)[.]ts$|testing/)`] },
      to: { path: `${bus}/(bus|index)[.]ts$` },
    },
    {
      name: 'only-parts-load',
      comment: 'What is loaded later is a table of one file: parts.ts.',
      severity: 'error',
      from: { path: `${bus}/`, pathNot: [tests, `${bus}/(parts[.]ts$|testing/)`] },
      to: { path: `${bus}/`, dynamic: true },
    },
    {
      name: 'parts-are-given',
      comment: 'A stage is given its parts: it knows part.ts, and neither parts.ts nor parts/.',
      severity: 'error',
      from: {
        path: `${bus}/`,
        pathNot: [
          tests,
          `${bus}/((bus|memory-log|indexed-db-log|all|parts)[.]ts$|parts/|testing/)`,
        ],
      },
      to: { path: `${bus}/(parts[.]ts$|parts/)` },
    },
    {
      name: 'all-parts-in-one-door',
      comment: 'Whoever imports all parts has them in the first file.',
      severity: 'error',
      from: { path: `${bus}/`, pathNot: [tests, `${bus}/(all[.]ts$|testing/)`] },
      to: { path: `${bus}/parts/all[.]ts$` },
    },
    {
      name: 'react-knows-the-face',
      comment: 'react/ uses a bus as an application does: foundation files, and React.',
      severity: 'error',
      from: { path: `${bus}/react/`, pathNot: tests },
      to: { pathNot: [foundation, `${bus}/react/`, ...reactPackage] },
    },
    {
      name: 'core-without-react',
      comment: 'A bus without React has none of it.',
      severity: 'error',
      from: { path: `${bus}/`, pathNot: [tests, `${bus}/react/`] },
      to: { path: [`${bus}/react/`, ...reactPackage] },
    },
    {
      name: 'product-without-testing',
      comment: 'testing/ is for tests; nothing that ships in the bus itself imports it.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: [tests, '^packages/[^/]+/src/testing/'] },
      to: { path: '^packages/[^/]+/src/testing/' },
    },
    {
      name: 'playwright-stands-apart',
      comment:
        'Who tests without a browser needs no Playwright: only testing/playwright/ knows it.',
      severity: 'error',
      from: { path: `${bus}/`, pathNot: [tests, `${bus}/testing/playwright/`] },
      to: { path: [`${bus}/testing/playwright/`, '(^|/)@?playwright/'] },
    },
    {
      name: 'product-without-tests',
      comment: 'Nothing imports a test file.',
      severity: 'error',
      from: {},
      to: { path: tests },
    },
    {
      name: 'platform-modules',
      comment: 'Clock, random numbers and timers come from platform.ts, not from Node modules.',
      severity: 'error',
      from: { path: `${bus}/`, pathNot: [tests, `${bus}/testing/`, `${bus}/platform[.]ts$`] },
      to: {
        dependencyTypes: ['core'],
        path: '^(node:)?(timers|timers/promises|crypto|perf_hooks)$',
      },
    },
    {
      name: 'bus-knows-no-relay',
      comment: 'The relay is built on the bus, not the other way round.',
      severity: 'error',
      from: { path: '^packages/bus/' },
      to: { path: ['^packages/edge-relay/', '^(node_modules/)?@crosstown/edge-relay'] },
    },

    // packages/edge-relay
    {
      name: 'room-is-pure',
      comment:
        'room.ts, judge.ts, revisions.ts, chain.ts, nesting.ts and the core of groups run nothing but themselves and the protocol.',
      severity: 'error',
      from: { path: pureRoom },
      to: {
        pathNot: [protocolDoor, `${relay}/(judge|revisions|chain|guard/nesting|group/state)[.]ts$`],
        dependencyTypesNot: asTypes,
      },
    },
    {
      name: 'room-knows-no-surroundings',
      comment: 'Not even as types: no Node, no Hono, no stores, no runtimes.',
      severity: 'error',
      from: { path: pureRoom },
      to: {
        path: [
          '^node:',
          '(^|/)node_modules/(?!@crosstown/bus/)',
          '^(hono|ws|@hono/)',
          `${relay}/(stores|runtimes|cli)/`,
          server,
        ],
      },
    },
    {
      name: 'stores-know-no-server',
      comment: 'A store does not know who serves it.',
      severity: 'error',
      from: { path: `${relay}/stores/`, pathNot: tests },
      to: { path: [`${relay}/(runtimes|cli)/`, server] },
    },

    // packages/devtools-extension
    {
      name: 'panel-knows-sources-by-interface',
      comment:
        'The panel is given sources: it knows neither browsers’ extensions, sockets nor files.',
      severity: 'error',
      from: { path: `${devtools}/panel/`, pathNot: tests },
      to: { path: `${devtools}/sources/`, pathNot: `${devtools}/sources/source[.]ts$` },
    },
    {
      name: 'sources-know-no-panel',
      comment: 'A source carries frames; what is made of them is not its matter.',
      severity: 'error',
      from: { path: `${devtools}/sources/`, pathNot: tests },
      to: { path: `${devtools}/panel/` },
    },
    {
      name: 'wiring-is-outermost',
      comment: 'extension/ and page/ put panel and sources together; nothing knows them.',
      severity: 'error',
      from: { path: `${devtools}/(panel|sources)/` },
      to: { path: `${devtools}/(extension|page)/` },
    },
    {
      name: 'devtools-have-no-bus',
      comment: 'Inspectors speak with taps; of the bus they have the door for that.',
      severity: 'error',
      from: { path: devtools, pathNot: [tests, '/testing/'] },
      to: {
        path: '^((packages/bus|node_modules/@crosstown/bus)/dist/|@crosstown/bus)',
        pathNot:
          '^((packages/bus|node_modules/@crosstown/bus)/dist/inspect/|@crosstown/bus/inspect$)',
      },
    },
    {
      name: 'product-knows-no-devtools',
      comment: 'What ships works without the devtools.',
      severity: 'error',
      from: { path: '^(packages/(bus|edge-relay)|demo)/' },
      to: { path: ['^packages/devtools-extension/', '^(node_modules/)?@crosstown/devtools'] },
    },

    // Between packages
    {
      name: 'published-doors-only',
      comment: 'Other packages, the demo and the tools use the entry points of a package.',
      severity: 'error',
      from: { path: '^(?:packages/([^/]+)|demo|e2e|bench|scripts|simulator)/' },
      to: { path: '^packages/[^/]+/src/', pathNot: '^packages/$1/src/' },
    },
  ],

  options: {
    doNotFollow: { path: '(^|/)(node_modules|dist)/' },
    exclude: { path: '(^|/)(dist|fixtures)/.*[.]d[.]ts$' },
    tsPreCompilationDeps: true,
    moduleSystems: ['es6', 'cjs'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types'],
      extensions: ['.ts', '.tsx', '.mts', '.mjs', '.js', '.d.ts', '.json'],
    },
  },
}
