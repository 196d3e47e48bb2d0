/** Runs, unseen, in each window of DevTools: adds the panel, which is loaded when it is first shown. */
chrome.devtools.panels.create('Crosstown', 'icons/32.png', 'panel.html')
