import { BusProvider } from '@crosstown/bus/react'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import './theme.ts'
import { App } from './app.tsx'
import { bus } from './bus.ts'

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <BusProvider bus={bus}>
      <App />
    </BusProvider>
  </StrictMode>,
)
