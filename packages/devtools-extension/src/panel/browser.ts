/** What any page of a browser can do for the panel. */
import type { PanelEnv } from './env.ts'

export function browserEnv(): Pick<PanelEnv, 'storage' | 'download' | 'copy'> {
  return {
    storage: {
      // Where a browser keeps nothing for this page, the panel hears so and goes on.
      read: async (key) => localStorage.getItem(key) ?? undefined,
      write: async (key, text) => localStorage.setItem(key, text),
    },
    download(name, file) {
      const link = document.createElement('a')
      link.href = URL.createObjectURL(file)
      link.download = name
      link.click()
      // The download has begun by then, or was asked about.
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
    },
    async copy(text) {
      try {
        await navigator.clipboard.writeText(text)
      } catch (error) {
        // DevTools give the clipboard to no frame of theirs, but let it copy what is selected.
        if (!copySelected(text)) throw error
      }
    },
  }
}

function copySelected(text: string): boolean {
  const focused = document.activeElement
  const field = document.createElement('textarea')
  field.value = text
  field.style.position = 'fixed'
  field.style.opacity = '0'
  document.body.append(field)
  field.select()
  const copied = document.execCommand('copy')
  field.remove()
  if (focused instanceof HTMLElement) focused.focus()
  return copied
}
