import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import '../theme.ts'
import { DevicesPage } from './devices-page.tsx'

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <DevicesPage />
  </StrictMode>,
)
