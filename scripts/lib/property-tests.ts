// Property tests are the same in every run, as all tests are. To look further:
//   CROSSTOWN_SEED=7 CROSSTOWN_RUNS=5000 npm test -- unit
import * as fc from 'fast-check'

const { CROSSTOWN_SEED, CROSSTOWN_RUNS } = process.env

fc.configureGlobal({
  seed: Number(CROSSTOWN_SEED ?? 1),
  ...(CROSSTOWN_RUNS === undefined ? {} : { numRuns: Number(CROSSTOWN_RUNS) }),
})
