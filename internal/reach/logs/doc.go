// Package logs reads what the programs of one machine log: files, containers and
// the journal. It follows them, takes headers off, and keeps the newest entries,
// the templates of the messages and how often they come.
//
// It reads when it is asked ([Reader.Poll]); only the journal, which is a stream,
// has a goroutine. All that it keeps is bounded, whatever is written: bytes of a
// line, entries, templates, files, bytes read at a time.
package logs
