import { clusterSuite } from './testing/cluster-suite.ts'
import { startRedis } from './testing/engine-servers.ts'

clusterSuite('Redis', startRedis)
