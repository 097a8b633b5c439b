package kmsg

import (
	"regexp"
	"strings"
)

// A Type is a kind of event.
type Type string

// The types of event. The texts that announce them are those of Linux 4.19 to 6.18.
const (
	OOMKill    Type = "oom_kill"       // a process was killed for want of memory
	HungTask   Type = "hung_task"      // a task waits uninterruptibly for minutes
	Lockup     Type = "lockup"         // a processor did nothing else for many seconds
	IOError    Type = "io_error"       // a disk did not do what it was told
	FSError    Type = "fs_error"       // a filesystem found itself damaged
	ReadOnly   Type = "fs_read_only"   // a filesystem went read-only
	Hardware   Type = "hardware_error" // memory, processor or bus reported an error
	Crash      Type = "crash"          // a program was ended by a fault of its own: segfault, invalid instruction
	Throttled  Type = "throttled"      // a processor was slowed down because of heat
	LinkDown   Type = "link_down"      // a network interface lost its link
	NetDropped Type = "net_dropped"    // connections dropped: a full table, no memory for TCP
	Stalled    Type = "server_stalled" // a network filesystem's server does not answer
)

// Types lists the types in the order of their harm.
func Types() []Type {
	return []Type{OOMKill, HungTask, Lockup, IOError, FSError, ReadOnly, Hardware, Crash, Throttled, LinkDown, NetDropped, Stalled}
}

// An Event is a record that tells of harm.
type Event struct {
	Record
	Type    Type
	Subject string // what it is about: "java (4711)", "sda", "eth0"; empty where the text does not say
	Process bool   // the subject is a process
}

// A rule recognises one type: hint is a part of the text that every such line has,
// looked for before the expression is tried.
type rule struct {
	Type
	hint string
	re   *regexp.Regexp // its groups: pid and name of a process, or subject
}

var rules = []rule{
	{OOMKill, "Killed process", regexp.MustCompile(`Killed process (?P<pid>\d+) \((?P<name>.*?)\)`)},
	{OOMKill, "Kill process", regexp.MustCompile(`Kill process (?P<pid>\d+) \((?P<name>.*?)\) score`)}, // before 5.1 the line above may be lost
	{HungTask, "blocked for more than", regexp.MustCompile(`task (?P<name>.+):(?P<pid>\d+) (?:<[^>]*> )?blocked for more than`)},
	{HungTask, "is blocked on", regexp.MustCompile(`task (?P<name>.+):(?P<pid>\d+) is blocked on`)},
	{Lockup, "soft lockup", regexp.MustCompile(`soft lockup - CPU#\d+ stuck for \d+s! \[(?P<name>.+):(?P<pid>\d+)\]`)},
	{Lockup, "hard LOCKUP", regexp.MustCompile(`hard LOCKUP on (?P<subject>cpu \d+)`)},
	{Lockup, "detected stall", regexp.MustCompile(`rcu: INFO: (?P<subject>\S+) .*detected stall`)},
	{Lockup, "self-detected stall", regexp.MustCompile(`rcu: INFO: (?P<subject>\S+) self-detected stall`)},
	{IOError, "I/O error", regexp.MustCompile(`I/O error(?:,| on) dev(?:ice)? (?P<subject>[\w!/-]+)`)},
	{IOError, "medium error", regexp.MustCompile(`critical medium error, dev (?P<subject>[\w!/-]+)`)},
	{IOError, "target error", regexp.MustCompile(`critical target error, dev (?P<subject>[\w!/-]+)`)},
	{IOError, "failed command", regexp.MustCompile(`(?P<subject>ata[\d.]+): failed command`)},
	{IOError, "nvme", regexp.MustCompile(`nvme (?P<subject>nvme\d+): (?:I/O .* timeout|controller is down|Device not ready)`)},
	{ReadOnly, "emounting filesystem read-only", regexp.MustCompile(`\((?P<subject>[\w!/-]+)\): [Rr]emounting filesystem read-only`)},
	{ReadOnly, "forced readonly", regexp.MustCompile(`\(device (?P<subject>[\w!/-]+).*\).*forced readonly`)},
	{FSError, "EXT", regexp.MustCompile(`EXT[234]-fs error \(device (?P<subject>[\w!/-]+)\)`)},
	{FSError, "XFS", regexp.MustCompile(`XFS \((?P<subject>[\w!/-]+)\): (?:.*[Cc]orruption|Internal error|Metadata I/O Error|log I/O error|Filesystem has been shut down)`)},
	{FSError, "BTRFS", regexp.MustCompile(`BTRFS (?:error|critical) \(device (?P<subject>[\w!/-]+)`)},
	{FSError, "F2FS", regexp.MustCompile(`F2FS-fs \((?P<subject>[\w!/-]+)\): .*(?:inconsistent|corrupted)`)},
	{Hardware, "Machine check events logged", regexp.MustCompile(`(?P<subject>mce): .*Machine check events logged`)},
	{Hardware, "[Hardware Error]", regexp.MustCompile(`\[Hardware Error\]: (?:CPU (?P<subject>\d+)|Machine check)`)},
	{Hardware, "EDAC", regexp.MustCompile(`EDAC (?P<subject>MC\d+): \d+ [CU]E `)},
	{Hardware, "AER", regexp.MustCompile(`(?P<subject>[0-9a-f]{4}:[0-9a-f:.]+): AER: (?:.*[Ee]rror)`)},
	{Crash, "segfault at", regexp.MustCompile(`^(?:traps: )?(?P<name>.+)\[(?P<pid>\d+)\]: segfault at`)},
	{Crash, "trap ", regexp.MustCompile(`^traps: (?P<name>.+)\[(?P<pid>\d+)\] trap `)},
	{Crash, "general protection", regexp.MustCompile(`^traps: (?P<name>.+)\[(?P<pid>\d+)\] general protection`)},
	{Throttled, "throttled", regexp.MustCompile(`(?P<subject>CPU\d+): (?:Core|Package) temperature.*throttled`)},
	{LinkDown, "Link is Down", regexp.MustCompile(`(?P<subject>[\w.-]+): (?:NIC )?Link is Down`)},
	{LinkDown, "link down", regexp.MustCompile(`(?P<subject>[\w.-]+): link down`)},
	{NetDropped, "nf_conntrack: table full", regexp.MustCompile(`(?P<subject>nf_conntrack): .*table full`)},
	{NetDropped, "SYN flooding", regexp.MustCompile(`SYN flooding on port (?P<subject>[\d.:\[\]a-f]+\d)`)},
	{NetDropped, "TCP: out of memory", regexp.MustCompile(`(?P<subject>TCP): out of memory`)},
	{NetDropped, "neighbour: ", regexp.MustCompile(`neighbour: (?P<subject>\w+): neighbor table overflow`)},
	{Stalled, "not responding", regexp.MustCompile(`server (?P<subject>\S+) not responding`)},
}

// Find returns the event that a record tells of, if it does.
func Find(r Record) (Event, bool) {
	for i := range rules {
		rule := &rules[i]
		if !strings.Contains(r.Text, rule.hint) {
			continue
		}
		m := rule.re.FindStringSubmatch(r.Text)
		if m == nil {
			continue
		}
		e := Event{Record: r, Type: rule.Type}
		group := func(name string) string {
			if i := rule.re.SubexpIndex(name); i >= 0 {
				return m[i]
			}
			return ""
		}
		if pid := group("pid"); pid != "" {
			e.Subject, e.Process = group("name")+" ("+pid+")", true
		} else {
			e.Subject = group("subject")
		}
		return e, true
	}
	return Event{}, false
}
