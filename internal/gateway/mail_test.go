package gateway

import (
	"bufio"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// newMailServer returns the address of a server that takes mails as RFC 5321 says, and
// passes them to a far side as posts whose id is the Message-Id.
func newMailServer(t *testing.T, f *farSide) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { takeMails(c, f) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); open.Wait() })
	return "smtp://" + l.Addr().String()
}

func takeMails(c net.Conn, f *farSide) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	r := textproto.NewReader(bufio.NewReader(c))
	for answer := "220 mail.example"; ; {
		if _, err := io.WriteString(c, answer+"\r\n"); err != nil {
			return
		}
		line, err := r.ReadLine()
		if err != nil {
			return
		}
		switch command, _, _ := strings.Cut(line, " "); command {
		case "EHLO":
			answer = "250 mail.example"
		case "DATA":
			if _, err := io.WriteString(c, "354 go on\r\n"); err != nil {
				return
			}
			raw, err := r.ReadDotBytes()
			if err != nil {
				return
			}
			_, id, _ := strings.Cut(string(raw), "Message-ID: ")
			id, _, _ = strings.Cut(id, "\n")
			f.mu.Lock()
			f.posts = append(f.posts, post{"mail", id, string(raw), time.Now()})
			f.mu.Unlock()
			answer = "250 taken"
		case "QUIT":
			_, _ = io.WriteString(c, "221 bye\r\n")
			return
		default:
			answer = "250 well"
		}
	}
}
