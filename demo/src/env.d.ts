interface ImportMetaEnv {
  /** Address of the relay, `ws://127.0.0.1:8787`; `npm start` sets it. */
  readonly VITE_CROSSTOWN_RELAY?: string
}
