// Package logtemplate groups log messages by what they say: lines that differ in
// a number, an address, a path or a name are one template, with <*> in the place
// of what differs.
//
// A message is cut into words, variables and punctuation ([Miner.Add] in one
// pass). What is a variable by its looks is one at the first sighting. What looks
// like a word becomes one when enough different words were seen in its place
// while all the rest was the same. The header (time, host, level, process) is to be
// taken off before: it is not of the message.
//
// Everything is bounded: bytes of a line, tokens, templates, old ids. The same
// lines in the same order give the same templates on every machine.
package logtemplate
