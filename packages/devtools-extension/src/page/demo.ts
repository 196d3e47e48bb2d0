/** Events that were made up, to look at the panel without an application. */

export { makeCapture } from '../panel/model/testing/capture.ts'
export { captureSources } from '../panel/model/testing/capture-source.ts'
