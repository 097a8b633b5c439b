// Package grounding checks text against facts: whether every figure that a text
// states was really seen, and whether it speaks of facts at all. It is arithmetic
// on text and numbers; it knows no agent, no clock and no I/O.
//
// What has to be found: every number that is 10 or more, carries a unit or has
// decimals. It is found in a fact of its dimension, in any unit, rounded or cut to
// the decimals it is written with. testdata/claims.txt has the verdicts, case by
// case. Where a text may be read in two ways these decisions hold; in doubt a
// figure is refused, for whoever wrote it can say it plainly and try again.
//
//   - Names are no figures: web-12, eth0, 0x1f, 64-bit, p99, the 99th percentile,
//     #1234, UUIDs, MAC and IP addresses with their ports, paths, hexadecimal ids.
//     A number behind a space is one: "port 8080", "pid 4711" and "HTTP 503" are
//     statements about a host, and evidence that has them proves them.
//   - Versions are no figures when they look it (three parts, v1.2), follow
//     "version", "release", "kernel" or "OTP", or are the two parts behind a
//     well-known product. Dates and times of day are none. Durations are figures,
//     5m30s is one.
//   - What stands in quotes of any kind is somebody else's words. Quotes around
//     nothing but a figure or one word are no quotation: "99 %" is checked. An
//     apostrophe opens no quotation.
//   - KB, MB, GB and TB may be decimal or binary, KiB to TiB are binary. M and G
//     alone are counts or sizes; m alone is minutes or millions.
//   - A rate per minute is found in one per second. Bits are an eighth of bytes.
//   - A percentage point is not a percent: a difference has to be computed, and a
//     number that a script returned without a unit proves any unit.
//   - "about" and ~ make the last zeros of a whole number insignificant, within a
//     twentieth. "over" and "under" hold for a value at most a twentieth away on
//     that side. "more than 90 %" of 91.2 % is proven, of 99 % it is not.
//   - Zero is zero: what is 0.4 % is not "0 %".
//   - A minus has to be in the evidence. Its absence proves nothing: what changed
//     by -12 "fell by 12".
//   - Both ends of a range are figures, with the unit of the second.
//   - 91,2 is a decimal comma before a unit, 1.204,5 and 1'204 have thousands in
//     them. Digits of other scripts, odd spaces and signs count as the usual ones.
//   - Numbers in words ("twenty") are not read.
package grounding
