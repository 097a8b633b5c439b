//go:build linux

package incidents

import (
	"testing"

	"github.com/fleetlens/fleetlens/test/e2e/box"
)

// boxed returns how an incident in a box is planted; cause has the words of an
// insight, from who has the fault and the folder it may write in.
func boxed(role, name string, cause func(culprit, dir string) []string, until func(*fleet, string) bool) func(*testing.T) *scene {
	return func(t *testing.T) *scene {
		b, culprit, dir := box.New(t, box.Plan{Role: role, Name: name})
		if b == nil {
			return nil
		}
		s := &scene{box: b, until: until, config: "logs: {files: [off], journal: off, docker: off, pods: off}\n"}
		if cause != nil {
			s.cause = cause(culprit, dir)
		}
		return s
	}
}

// who is a cause that names the process, and what else is given.
func who(more ...string) func(culprit, dir string) []string {
	return func(culprit, _ string) []string { return append([]string{culprit}, more...) }
}

// boxes are incidents of whole machines, planted in a machine of their own.
var boxes = []incident{
	{
		name: "zombies that nobody waits for", reason: "there are ever more processes", skills: []string{"supervisor", "ports", "exception"}, slow: true,
		plant: boxed("zombies", "job-runner", who("zombies"), reaches("host/supervisor", "zombies_lasting", 20)),
	},
	{
		name: "an accept queue that is full", reason: "clients cannot connect", skills: []string{"ports", "supervisor", "logger"},
		plant: boxed("full accept queue", "orders-api", who("[::1]:7007", "accept queue"), snapshots("host/ports", 2)),
	},
	{
		name: "connections that are never closed", reason: "orders-api answers no more", skills: []string{"ports", "supervisor", "exception"},
		plant: boxed("leak of connections", "orders-api", who("closed by the other side"), snapshots("host/ports", 2)),
	},
	{
		name: "descriptors at their limit", reason: "too many open files", skills: []string{"ports", "supervisor", "exception"},
		plant: boxed("leak of descriptors", "thumbnailer", who("file descriptors", "limit of 200"), snapshots("host/ports", 2)),
	},
	{
		name: "a program that its supervisor starts again and again", reason: "payments fail now and then", skills: []string{"supervisor", "ports", "logger"},
		plant: boxed("crash loop", "runsv", func(culprit, _ string) []string { return []string{"payments of " + culprit, "started again"} },
			reaches("host/supervisor", "respawns_10m", 3)),
	},
	{
		name: "processes that lost their parent", reason: "the machine fills with processes", skills: []string{"supervisor", "ports", "exception"},
		plant: boxed("orphans", "deploy", func(string, string) []string { return []string{"sleep (", "lost their parent"} }, snapshots("host/supervisor", 2)),
	},
	{
		name: "a filesystem that is full", reason: "writes fail", skills: []string{"os", "ports", "supervisor"},
		plant: boxed("full filesystem", "uploads", func(_, dir string) []string { return []string{dir + "/data is 97 % full"} }, snapshots("host/os", 2)),
	},
	{
		name: "a filesystem without inodes", reason: "no file can be made", skills: []string{"os", "ports", "supervisor"},
		plant: boxed("filesystem without inodes", "mailer", func(_, dir string) []string { return []string{dir + "/data", "inodes"} }, snapshots("host/os", 2)),
	},
	{
		name: "thousands of connections in TIME_WAIT", reason: "is the network well?", skills: []string{"ports", "supervisor", "exception"}, control: true,
		plant: boxed("many closed connections", "orders-api", nil, snapshots("host/ports", 4)),
	},
	{
		name: "a build whose children come and go", reason: "is anything crashing?", skills: []string{"supervisor", "ports", "exception"}, control: true,
		plant: boxed("build", "make", nil, snapshots("host/supervisor", 8)),
	},
	{
		name: "a server with hundreds of clients", reason: "is orders-api well?", skills: []string{"ports", "supervisor", "logger"}, control: true,
		plant: boxed("server with many clients", "orders-api", nil, snapshots("host/ports", 4)),
	},
}
