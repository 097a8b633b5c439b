package host

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// A PackageDatabase is where a package manager keeps what is installed.
type PackageDatabase struct {
	Manager string    // dpkg, apk or rpm
	Changed time.Time // when it was written last, UTC
	Size    int64     // bytes
	// Listed says that [Reader.Packages] reads it. The database of rpm is one of
	// SQLite or Berkeley DB: only that it changed is seen.
	Listed bool
	path   string
}

// databases are where the managers have them. Of one manager the first that there is counts.
var databases = []struct{ manager, path string }{
	{"dpkg", "/var/lib/dpkg/status"},
	{"apk", "/lib/apk/db/installed"},
	{"apk", "/usr/lib/apk/db/installed"},
	{"rpm", "/var/lib/rpm/rpmdb.sqlite"},
	{"rpm", "/usr/lib/sysimage/rpm/rpmdb.sqlite"},
	{"rpm", "/var/lib/rpm/Packages.db"},
	{"rpm", "/usr/lib/sysimage/rpm/Packages.db"},
	{"rpm", "/var/lib/rpm/Packages"},
}

// PackageDatabases returns the databases that the machine has. It reads none of them.
func (r *Reader) PackageDatabases() []PackageDatabase {
	var out []PackageDatabase
	for _, d := range databases {
		if len(out) > 0 && out[len(out)-1].Manager == d.manager {
			continue
		}
		st, err := os.Stat(r.Path(d.path))
		if err != nil || !st.Mode().IsRegular() || st.Size() == 0 {
			continue
		}
		db := PackageDatabase{Manager: d.manager, Changed: st.ModTime().UTC(), Size: st.Size(), Listed: d.manager != "rpm", path: r.Path(d.path)}
		// SQLite writes beside the database first.
		if log, err := os.Stat(db.path + "-wal"); err == nil && log.ModTime().After(db.Changed) {
			db.Changed = log.ModTime().UTC()
		}
		out = append(out, db)
	}
	return out
}

// Packages calls fn with the name and version of each package that is installed, in
// the order of the database. A name may come twice, for two architectures of dpkg.
func (r *Reader) Packages(db PackageDatabase, fn func(name, version string)) error {
	if !db.Listed {
		return fmt.Errorf("the database of %s cannot be listed", db.Manager)
	}
	f, err := os.Open(db.path)
	if err != nil {
		return err
	}
	defer f.Close()
	parse := parseDpkg
	if db.Manager == "apk" {
		parse = parseApk
	}
	return parse(f, fn)
}

// maxPackageWord is how long a name or version may be that counts.
const maxPackageWord = 256

// eachField calls fn with the first bytes of each line, at most 1 KiB: descriptions
// and lists of dependencies are longer, and are not looked for.
func eachField(r io.Reader, fn func(line string)) error {
	b := bufio.NewReaderSize(r, 16<<10)
	for {
		line, err := b.ReadSlice('\n')
		fn(strings.TrimRight(string(line[:min(len(line), 1<<10)]), "\r\n"))
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = b.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// parseDpkg parses dpkg's status file: paragraphs of "Field: value".
func parseDpkg(r io.Reader, fn func(name, version string)) error {
	var name, version, arch string
	var there, both bool
	end := func() {
		if there && name != "" && version != "" {
			if both && arch != "" {
				name += ":" + arch
			}
			fn(name, version)
		}
		name, version, arch, there, both = "", "", "", false, false
	}
	err := eachField(r, func(line string) {
		field, value, _ := strings.Cut(line, ": ")
		switch field {
		case "":
			end()
		case "Package":
			name = packageWord(value)
		case "Version":
			version = packageWord(value)
		case "Architecture":
			arch = packageWord(value)
		case "Multi-Arch":
			both = value == "same" // those of several architectures may be installed together
		case "Status":
			// Want, error, state: of what was removed the configuration may remain.
			there = !strings.HasSuffix(value, " config-files") && !strings.HasSuffix(value, " not-installed")
		}
	})
	end()
	return err
}

// parseApk parses apk's installed file: paragraphs of "P:name", "V:version" and others.
func parseApk(r io.Reader, fn func(name, version string)) error {
	var name, version string
	end := func() {
		if name != "" && version != "" {
			fn(name, version)
		}
		name, version = "", ""
	}
	err := eachField(r, func(line string) {
		field, value, _ := strings.Cut(line, ":")
		switch field {
		case "":
			end()
		case "P":
			name = packageWord(value)
		case "V":
			version = packageWord(value)
		}
	})
	end()
	return err
}

// packageWord returns a value that is one word of a usual length, else nothing.
func packageWord(s string) string {
	if len(s) > maxPackageWord || strings.ContainsAny(s, " \t\x00") {
		return ""
	}
	return strings.ToValidUTF8(s, "")
}
