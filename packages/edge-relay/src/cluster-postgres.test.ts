import { clusterSuite } from './testing/cluster-suite.ts'
import { startPostgres } from './testing/engine-servers.ts'

clusterSuite('PostgreSQL', startPostgres)
