// Package ui tests the web UI in a real browser against real streams: Debian's Chromium,
// driven by playwright-core from Node. The checks are in checks, a file for each page;
// they tell this program what to publish, and what to stop, over HTTP.
package ui
