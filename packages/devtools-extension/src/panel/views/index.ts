/** The views of the panel, in the order of their tabs. */
import { Compare } from './compare/compare.tsx'
import { ConsumersView } from './consumers/consumers-view.tsx'
import { FaultBanner } from './faults/fault-banner.tsx'
import { LogView } from './log/log-view.tsx'
import { PeersView } from './peers/peers-view.tsx'
import { PublishView } from './publish/publish-view.tsx'
import { SequenceView } from './sequence/sequence-view.tsx'
import { DropFiles } from './session/drop-files.tsx'
import { SessionTool } from './session/session-tool.tsx'
import './shared/shared.css'
import { StoreView } from './store/store-view.tsx'
import { TravelBanner } from './store/travel-banner.tsx'
import { TreeView } from './tree/tree-view.tsx'
import type { Extra, View } from './view.ts'

export const views: readonly View[] = [
  { id: 'log', label: 'Log', key: '1', detail: true, Component: LogView },
  { id: 'sequence', label: 'Sequence', key: '2', detail: true, Component: SequenceView },
  { id: 'tree', label: 'Causes', key: '3', detail: true, Component: TreeView },
  { id: 'peers', label: 'Peers', key: '4', detail: false, Component: PeersView },
  { id: 'consumers', label: 'Consumers', key: '5', detail: false, Component: ConsumersView },
  { id: 'store', label: 'Store', key: '6', detail: false, Component: StoreView },
  { id: 'publish', label: 'Publish', key: '7', detail: false, Component: PublishView },
]

/** Above the view: banners that must be seen, a place to drop files on. */
export const banners: readonly Extra[] = [TravelBanner, FaultBanner, DropFiles, Compare]

/** Buttons at the end of the toolbar, with the dialogs they open. */
export const tools: readonly Extra[] = [SessionTool]
