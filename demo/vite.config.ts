import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'
import { serviceWorker } from './vite-service-worker.ts'

/**
 * Components and styles are replaced in the running page. The bus, and what subscribes to it, start
 * afresh with the page instead: a second bus beside the old one would be a second peer.
 */
const reloadForTheBus: Plugin = {
  name: 'crosstown-demo:reload-for-the-bus',
  hotUpdate({ file, modules }) {
    if (modules.length === 0 || /\.(tsx|css)$/.test(file)) return
    this.environment.hot.send({ type: 'full-reload' })
    return []
  },
}

export default defineConfig({
  plugins: [react(), reloadForTheBus, serviceWorker('src/service-worker.ts', 'service-worker.js')],
  build: {
    target: 'es2023',
    rollupOptions: { input: ['index.html', 'devices.html'] },
  },
})
