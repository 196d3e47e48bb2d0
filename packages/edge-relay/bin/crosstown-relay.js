#!/usr/bin/env node
// Checked in, so that npm can link it before the package is built.
import '../dist/cli/main.js'
