package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// dist is the bundle of ui, made by `make ui` and committed, so that nothing but Go is
// needed to build the program.
//
//go:embed dist
var dist embed.FS

// kinds are the files that there are, by how their names end.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
}

// index is the page that every address of the UI gets. Its files are named with a hash
// of what they hold, so that a browser keeps them until they change.
var index = func() []byte {
	page, err := dist.ReadFile("dist/index.html")
	if err != nil {
		panic(err) // it is embedded
	}
	entries, err := fs.ReadDir(dist, "dist")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		b, err := dist.ReadFile("dist/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(b)
		page = bytes.ReplaceAll(page, []byte(`/`+e.Name()+`"`), []byte(`/`+e.Name()+`?v=`+hex.EncodeToString(sum[:6])+`"`))
	}
	return page
}()

// static serves the UI: its files, and its one page for every other address.
func static(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	b, err := dist.ReadFile("dist/" + name)
	kind, known := kinds[path.Ext(name)]
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case err == nil && known && name != "index.html":
		write(w, r, http.StatusOK, kind, b)
		return
	case path.Ext(name) != "" && known: // a file that is not there is no page
		write(w, r, http.StatusNotFound, "text/plain; charset=utf-8", []byte("no such file\n"))
		return
	}
	write(w, r, http.StatusOK, kinds[".html"], index)
}
