package logs

// JournalEntry is for the fuzz test.
var JournalEntry = journalEntry
