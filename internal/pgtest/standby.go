//go:build linux

package pgtest

import "testing"

// Standby makes a server that streams from this one, which it calls a name, and
// starts it. It ends with the test.
func (c *Cluster) Standby(t testing.TB, name string, settings ...string) *Cluster {
	t.Helper()
	dir, err := folder()
	if err != nil {
		t.Fatal(err)
	}
	s := &Cluster{bin: c.bin, dir: dir, settings: settings}
	t.Cleanup(s.Stop)
	backup, err := s.command("pg_basebackup", "--pgdata="+s.data(), "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
		"--dbname="+c.DSN("postgres", "postgres")+"&application_name="+name)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := backup.CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	if err := s.start(); err != nil {
		t.Fatalf("%v\n%s", err, s.log())
	}
	return s
}
