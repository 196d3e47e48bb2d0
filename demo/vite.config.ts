import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'
import { serviceWorker } from './vite-service-worker.ts'

export default defineConfig({
  plugins: [react(), serviceWorker('src/service-worker.ts', 'service-worker.js')],
  build: { target: 'es2023' },
})
