package luasandbox

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// Parent and child speak in frames: four bytes of length, big-endian, then that
// many bytes of JSON. The parent says hello; the child bounds itself and says
// ready; the parent sends the script; then calls and replies alternate until the
// child sends one of the three ends. At no time are two calls outstanding.
const (
	kindHello  = "hello"
	kindScript = "script"
	kindReply  = "reply"

	kindReady  = "ready"
	kindCall   = "call"
	kindDone   = "done"
	kindFailed = "failed"
	kindLimit  = "limit"
)

// An order goes from parent to child.
type order struct {
	Kind   string          `json:"kind"`
	Token  string          `json:"token,omitempty"`  // hello
	Limits *Limits         `json:"limits,omitempty"` // hello
	Ahead  bool            `json:"ahead,omitempty"`  // hello: the script comes later
	Source []byte          `json:"source,omitempty"` // script
	Calls  []string        `json:"calls,omitempty"`  // script
	Value  json.RawMessage `json:"value,omitempty"`  // reply
	Error  string          `json:"error,omitempty"`  // reply
	Failed bool            `json:"failed,omitempty"` // reply
}

// A report goes from child to parent. Each but ready carries what was printed
// since the one before.
type report struct {
	Kind         string          `json:"kind"`
	Token        string          `json:"token,omitempty"` // ready
	Name         string          `json:"name,omitempty"`  // call
	Value        json.RawMessage `json:"value,omitempty"` // call: the arguments; done: the result
	Message      string          `json:"message,omitempty"`
	Limit        string          `json:"limit,omitempty"`
	Line         int             `json:"line,omitempty"`
	Output       string          `json:"output,omitempty"`
	OutputCut    bool            `json:"output_cut,omitempty"`
	Instructions int64           `json:"instructions,omitempty"`
}

// maxReport returns the size in bytes of the longest frame that an honest child
// sends: JSON spends up to six bytes on one of text.
func (l Limits) maxReport() int {
	return max(l.Arguments, l.Result) + 6*(l.Output+maxMessage) + 4<<10
}

// writeFrame writes v in a single Write.
func writeFrame(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	_, err = w.Write(append(frame, body...))
	return err
}

// readFrame reads one frame of at most limit bytes into v.
func readFrame(r io.Reader, limit int, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := int64(binary.BigEndian.Uint32(head[:]))
	if size > int64(limit) {
		return fmt.Errorf("frame of %d bytes, want at most %d", size, limit)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("decode frame: %w", err)
	}
	return nil
}

// nesting returns how deep arrays and objects lie in each other in valid JSON.
func nesting(raw []byte) int {
	depth, deepest := 0, 0
	text := false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '[' || c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return deepest
}
