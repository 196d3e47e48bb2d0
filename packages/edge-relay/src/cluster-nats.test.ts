import { clusterSuite } from './testing/cluster-suite.ts'
import { startNats } from './testing/engine-servers.ts'

clusterSuite('NATS', startNats)
