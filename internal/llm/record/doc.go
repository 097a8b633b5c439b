// Package record saves every call of a model to a file, and answers calls from
// such a file: tests and demonstrations run the whole of Fleetlens with a model's
// own answers, without the model.
//
// It stands around eino's chat model, so it holds for every provider: what the
// loop asked (messages, tools, tool choice) and what it got (the message with its
// calls and usage, or the failure with its status and Retry-After). Keys travel in
// the headers of HTTP, which are not seen here; a key that a provider repeats in
// an error is cut out.
//
// # The file
//
// A cassette is lines of JSON, one a call, appended by as many processes as there
// are. People read and compare it, so nothing stands in it twice: the tools of a
// request are a line of their own, and of a conversation that goes on only the
// messages that are new ("from" says how many came before). "after" says in words
// where in its run the call was made. It holds what hosts said: the file is
// readable by its owner only.
//
// # Replay
//
// [Exact] answers a request whose messages, tools and choice are, byte for byte,
// those of a recorded one; the n-th of several alike gets the n-th answer, and
// what comes after the last gets the last.
//
// No run of a live fleet is byte for byte like another: ids and times differ. So
// [Turn] goes by the place in the run instead. A run is bound to a recorded run of
// the same agent and skill when it first asks: the least used one whose question
// shares most lines with its own. Then a call is answered with what was answered
// after the same tools were called with the same success, and as much had been
// reported. Two things bend:
//
//   - How often a run waited depends on the clock, so waits do not count. Where
//     less was reported so far than in the recording, the run waits again.
//   - An id (16 hex digits) in a recorded answer that stood in the recorded
//     request becomes the id that stands in its place now: between the same words
//     of a line, else between words that differ in figures only, else after such
//     words, else as the n-th id. Nothing else is changed: names of nodes and figures must be those of the recording.
//
// A request without an answer fails for good and says what was asked and which
// recorded call is the nearest.
package record
