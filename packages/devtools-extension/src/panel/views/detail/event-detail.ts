import type { EventRow } from '../../model/model.ts'
import type { ViewProps } from '../view.ts'

/** What each tab of the detail is given. */
export interface EventDetailProps extends ViewProps {
  readonly row: EventRow
}
