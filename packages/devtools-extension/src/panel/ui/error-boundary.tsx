/** A view that fails takes no other with it, and says what happened. */

import { Component, type ReactNode } from 'react'
import { errorText } from './error-text.ts'

interface Props {
  readonly name: string
  readonly children: ReactNode
}

interface State {
  readonly error: unknown
}

export class ErrorBoundary extends Component<Props, State> {
  override state: State = { error: undefined }

  static getDerivedStateFromError(error: unknown): State {
    return { error: error ?? new Error('unknown') }
  }

  override render(): ReactNode {
    const { error } = this.state
    if (error === undefined) return this.props.children
    return (
      <div className="empty" role="alert">
        <h2>{this.props.name} failed</h2>
        <p>
          <code>{errorText(error)}</code>
        </p>
        <p>What was captured is still there, and the other views go on.</p>
        <p>
          <button
            type="button"
            className="button"
            onClick={() => this.setState({ error: undefined })}
          >
            Show it again
          </button>
        </p>
      </div>
    )
  }
}
